// Language models whose head and embedding are one table, two, or one of them alone, against
// transformers.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/decoder/aten_llama.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/load.h"

namespace terminus::models::decoder {
namespace {

using checkpoint::ReadGolden;
using nlohmann::json;
using testing::HasSubstr;

class HeadsTest : public testing::Test {
 protected:
  // The golden model with the case's config and tensors.
  void Write(const json& test_case) {
    json model = ReadGolden(golden_["golden"].get<std::string>());
    model["config"]["tie_word_embeddings"] = test_case["tied"];
    json tensors = json::array();
    json table;
    for (const json& tensor : model["tensors"]) {
      if (tensor[0] == "model.embed_tokens.weight") table = tensor;
      if (!Contains(test_case["drop"], tensor[0])) tensors.push_back(tensor);
    }
    for (const auto& [name, source] : test_case["add"].items()) {
      tensors.push_back({name, table[1], source});
    }
    model["tensors"] = tensors;
    ASSERT_TRUE(checkpoint::WriteGoldenFolder(model, folder_.path()).ok());
  }

  static bool Contains(const json& names, const json& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  // Of the prompt's last token.
  std::vector<float> LogitsOf(CausalLm& lm) {
    const auto prompt = golden_["prompt"].get<std::vector<int32_t>>();
    const auto count = static_cast<int32_t>(prompt.size());
    EXPECT_LE(count, kKvBlockTokens);
    std::vector<int32_t> positions(prompt.size());
    std::iota(positions.begin(), positions.end(), 0);
    const std::vector<int32_t> queries = {0, count}, blocks = {0, 1}, block = {0}, last = {count},
                               rows = {count - 1};
    const c10::InferenceMode inference;
    const auto logits =
        lm.Forward({.token_ids = prompt,
                    .positions = positions,
                    .query_indptr = queries,
                    .kv = {.indptr = blocks, .indices = block, .last_page_len = last},
                    .logits_tokens = rows});
    EXPECT_TRUE(logits.ok()) << logits.status();
    return {logits->values.begin(), logits->values.end()};
  }

  void ExpectLogits(CausalLm& lm, const json& expected) {
    const std::vector<float> logits = LogitsOf(lm);
    ASSERT_EQ(logits.size(), expected.size());
    EXPECT_LT(checkpoint::MaxDifference(logits.data(), expected.get<std::vector<float>>().data(),
                                        logits.size()),
              1e-4);
  }

  const json golden_ = checkpoint::ReadWeightGolden("heads");
  const base::TempFolder folder_;
};

TEST_F(HeadsTest, CountAsInTransformers) {
  const LmOptions options{
      .threads = 1, .kv_blocks = 1, .dtype = ComputeDType::kFloat32, .layers = {}};
  for (const json& test_case : golden_["cases"]) {
    SCOPED_TRACE(test_case["name"].get<std::string>());
    Write(test_case);
    const auto lm = LoadCausalLm(folder_.path(), at::kCPU, options);
    const auto checked = LoadCausalLm(folder_.path(), at::kMeta, options);
    EXPECT_EQ(checked.status(), lm.status());
    if (test_case["logits"].is_null()) {
      // transformers makes up the table by chance.
      EXPECT_THAT(std::string(lm.status().message()), HasSubstr("file has no such tensor"));
      continue;
    }
    ASSERT_TRUE(lm.ok()) << lm.status();
    ExpectLogits(**lm, test_case["logits"]);
    const auto config = ReadLlamaConfig(folder_.path());
    auto weights = checkpoint::Weights::Open(folder_.path(), at::kCPU, kLlamaNames);
    LmOptions all = options;
    all.layers.last = config->layers;
    AtenLlama aten(*config, all, at::kCPU, *weights);
    ASSERT_TRUE(weights->Finish().ok());
    ExpectLogits(aten, test_case["logits"]);
  }
}

}  // namespace
}  // namespace terminus::models::decoder
