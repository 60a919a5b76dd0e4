// Text towers of whole folders against what transformers makes of the same ones.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/text/text_encoder.h"

namespace terminus::models::text {
namespace {

using checkpoint::MaxDifference;
using checkpoint::ReadGolden;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class TextTowersTest : public testing::TestWithParam<const char*> {};

TEST_P(TextTowersTest, EqualsTransformersAloneAndTogether) {
  const json golden = ReadGolden(GetParam());
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = TextEncoder::Load(folder.path());
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto ids = golden["token_ids"].get<std::vector<std::vector<int32_t>>>();
  const auto together = (*encoder)->Encode({ids});
  ASSERT_TRUE(together.ok()) << together.status();
  ASSERT_EQ(together->count, static_cast<int>(ids.size()));
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto expected = golden["vectors"][i].get<std::vector<float>>();
    ASSERT_EQ(expected.size(), static_cast<size_t>(together->dimension));
    const float* row = together->values.data() + i * expected.size();
    EXPECT_LT(MaxDifference(row, expected.data(), expected.size()), 1e-4) << "text " << i;
    const auto alone = (*encoder)->Encode({{ids[i]}});
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_LT(MaxDifference(row, alone->values.data(), expected.size()), 1e-5) << "text " << i;
  }
  // In half the precision the same, but for rounding.
  auto half = TextEncoder::Load(folder.path(), {.dtype = at::kBFloat16});
  ASSERT_TRUE(half.ok()) << half.status();
  const auto rough = (*half)->Encode({ids});
  ASSERT_TRUE(rough.ok()) << rough.status();
  EXPECT_LT(MaxDifference(rough->values.data(), together->values.data(), together->values.size()),
            0.15);
}

INSTANTIATE_TEST_SUITE_P(Models, TextTowersTest,
                         testing::Values("clip", "clip_legacy", "clip_text", "siglip",
                                         "siglip_text", "qwen3", "qwen3_lm", "qwen3_bidirectional",
                                         "bge"));

// What loading says of a golden's folder with `change` merged into its config.json.
std::string ErrorOf(const std::string& name, const json& change) {
  json golden = ReadGolden(name);
  golden["config"].merge_patch(change);
  const base::TempFolder folder;
  EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  const auto encoder = TextEncoder::Load(folder.path());
  EXPECT_FALSE(encoder.ok());
  return std::string(encoder.status().message());
}

TEST(ClipTextTest, RefusesWhatWouldChangeResults) {
  EXPECT_THAT(
      ErrorOf("clip", {{"text_config", {{"hidden_act", "silu"}, {"eos_token_id", {2, 3}}}}}),
      AllOf(HasSubstr("text_config.hidden_act"), HasSubstr("silu"),
            HasSubstr("text_config.eos_token_id")));
  EXPECT_THAT(ErrorOf("clip_text", {{"num_attention_heads", 5}}), HasSubstr("multiple of 5"));
  EXPECT_THAT(ErrorOf("clip", {{"projection_dim", 16}}),
              AllOf(HasSubstr("text_projection.weight"), HasSubstr("[16, 32]")));
  // As transformers: the section of old is in place of the newer one, with all its defaults.
  EXPECT_THAT(ErrorOf("clip", {{"text_config_dict", {{"hidden_size", 32}}}}),
              AllOf(HasSubstr("[49408, 32]"), HasSubstr("[101, 32]")));
}

TEST(Qwen3Test, RefusesWhatWouldChangeResults) {
  EXPECT_THAT(ErrorOf("qwen3", {{"layer_types", {"full_attention", "sliding_attention"}},
                                {"hidden_act", "gelu"}}),
              AllOf(HasSubstr("layer_types"), HasSubstr("hidden_act")));
  json golden = ReadGolden("qwen3");
  golden["files"].erase("modules.json");
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  EXPECT_THAT(std::string(TextEncoder::Load(folder.path()).status().message()),
              HasSubstr("modules.json"));
}

// What loading says of SigLIP's folder with `change` merged into its tokenizer_config.json.
std::string TokenizerErrorOf(const json& change, const json& tokenizer = json::object()) {
  json golden = ReadGolden("siglip");
  golden["files"]["tokenizer_config.json"].merge_patch(change);
  golden["files"]["tokenizer.json"] = tokenizer;
  const base::TempFolder folder;
  EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  const auto encoder = TextEncoder::Load(folder.path());
  return encoder.ok() ? "" : std::string(encoder.status().message());
}

TEST(SiglipTextTest, PaddingIsTheTokenizers) {
  EXPECT_THAT(TokenizerErrorOf({{"model_input_names", {"input_ids", "attention_mask"}},
                                {"padding_side", "left"}}),
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("model_input_names"),
                    HasSubstr("padding_side")));
  // This class pads on the left where the file says nothing.
  EXPECT_THAT(TokenizerErrorOf({{"tokenizer_class", "GemmaTokenizerFast"}}),
              HasSubstr("padding_side: supported is \"right\""));
  EXPECT_THAT(TokenizerErrorOf({{"model_input_names", nullptr}}), HasSubstr("attention_mask"));
  EXPECT_THAT(TokenizerErrorOf({{"pad_token", "<pad>"}}), HasSubstr("\"<pad>\" has the id -1"));
  EXPECT_THAT(TokenizerErrorOf({{"pad_token", "<pad>"}},
                               {{"added_tokens", {{{"id", 101}, {"content", "<pad>"}}}}}),
              HasSubstr("has the id 101"));
  EXPECT_THAT(TokenizerErrorOf({{"pad_token", "<pad>"}}, {{"added_tokens", {"<pad>"}}}),
              HasSubstr("has the id -1"));
  EXPECT_EQ(TokenizerErrorOf({{"pad_token", {{"content", "<pad>"}}}, {"model_max_length", 1e30}},
                             {{"added_tokens", {{{"id", 0}, {"content", "<pad>"}}}}}),
            "");
}

}  // namespace
}  // namespace terminus::models::text
