#include "models/bundle/decoder.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::bundle {
namespace {

using base::TempFolder;
using checkpoint::WriteTestFile;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kSpace[] =
    "format: 1\nname: tiny\nspace:\n  id: 0123456789abcdef0123456789abcdef\n  dimension: 64\n";

// Words of the letters of a prompt of token ids: "w3 w5".
json WordTokenizer(int words) {
  json vocabulary = {{"[UNK]", 0}};
  for (int id = 1; id < words; ++id) {
    vocabulary["w" + std::to_string(id)] = id;
  }
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", nullptr},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", vocabulary}}}};
}

class DecoderTest : public testing::Test {
 protected:
  DecoderTest() : golden_(json::parse(std::ifstream("tests/golden/models/llama_tied.json"))) {
    Write("decoder/config.json", golden_["config"]);
    Write("decoder/tokenizer.json", WordTokenizer(97));
    EXPECT_TRUE(
        checkpoint::WriteFakeWeights(Path("decoder/model.safetensors"), golden_["tensors"]).ok());
    WriteTestFile(
        Path("bundle.yaml"),
        std::string(kSpace) + "decoder:\n  path: decoder\ngolden:\n  path: golden.json\n");
    WriteGolden([](json&) {});
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
  void Write(const std::string& name, const json& content) {
    WriteTestFile(Path(name), content.dump());
  }

  // The first two prompts of transformers' golden, less what `change` does to the first.
  template <class Change>
  void WriteGolden(const Change& change) {
    json prompts = json::array();
    for (int i = 0; i < 2; ++i) {
      const auto ids = golden_["prompts"][i].get<std::vector<int>>();
      const auto logits = golden_["logits"][i].get<std::vector<double>>();
      std::string text;
      for (const int id : ids) {
        text += "w" + std::to_string(id) + " ";
      }
      json entry = {{"prompt", text},
                    {"token_ids", ids},
                    {"continuation", golden_["continuations"][i]},
                    {"margins", std::vector<double>(golden_["continuations"][i].size(), 0.5)},
                    {"logits", {{0, logits[0]}, {96, logits[96]}}}};
      if (i == 0) {
        change(entry);
      }
      prompts.push_back(entry);
    }
    Write("golden.json", {{"decoder", {{"tolerance", 1e-3}, {"prompts", prompts}}}});
  }

  absl::StatusOr<DecoderModel> Load(const std::string& folder) {
    const auto manifest = ReadManifest(folder);
    if (!manifest.ok()) {
      return manifest.status();
    }
    return LoadDecoder(*manifest, {.device = "cpu", .threads = 2, .kv_blocks = 32});
  }

  absl::Status Verify(const std::string& folder) {
    auto model = Load(folder);
    if (!model.ok()) {
      return model.status();
    }
    return VerifyDecoder(*ReadManifest(folder), *model);
  }

  json golden_;
  base::TempFolder folder_;
};

TEST_F(DecoderTest, LoadsAndVerifies) {
  Write("decoder/tokenizer_config.json",
        {{"chat_template", "{{ bos_token }}"},
         {"bos_token", {{"__type", "AddedToken"}, {"content", "<s>"}}},
         {"eos_token", "</s>"}});
  Write("decoder/generation_config.json",
        {{"eos_token_id", {4, 9}}, {"do_sample", true}, {"temperature", 0.2}, {"top_p", 0.9}});
  const auto model = Load(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->device, "cpu");
  EXPECT_EQ(model->lm->vocab_size(), 97);
  EXPECT_EQ(model->lm->kv_blocks(), 32);
  ASSERT_NE(model->chat_template, nullptr);
  EXPECT_EQ(model->chat_template->Render({}, true, model->special_tokens)->text, "<s>");
  EXPECT_EQ(model->special_tokens.eos, "</s>");
  EXPECT_THAT(model->generation.eos_token_ids, ElementsAre(4, 9));
  EXPECT_TRUE(model->generation.sample);
  EXPECT_EQ(model->generation.temperature, 0.2f);
  EXPECT_EQ(model->generation.top_p, 0.9f);
  EXPECT_EQ(model->generation.top_k, 50u);
  EXPECT_TRUE(Verify(folder_.path()).ok()) << Verify(folder_.path());
}

TEST_F(DecoderTest, GoldensDecide) {
  const auto failure = [&](const auto& change) {
    WriteGolden(change);
    const absl::Status status = Verify(folder_.path());
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(failure([](json& entry) {
                entry["logits"][1][1] = entry["logits"][1][1].get<double>() + 0.002;
              }),
              AllOf(HasSubstr("logit of token 96"), HasSubstr("tolerance 0.001")));
  EXPECT_THAT(failure([](json& entry) {
                entry["continuation"][3] = (entry["continuation"][3].get<int>() + 1) % 97;
              }),
              AllOf(HasSubstr("token 3"), HasSubstr("ahead by 0.5")));
  EXPECT_THAT(failure([](json& entry) { entry["prompt"] = "w1 w2"; }), HasSubstr("tokenized"));
  // A near tie excuses it.
  WriteGolden([](json& entry) {
    entry["continuation"][3] = (entry["continuation"][3].get<int>() + 1) % 97;
    entry["margins"][3] = 0.001;
  });
  EXPECT_TRUE(Verify(folder_.path()).ok()) << Verify(folder_.path());
  WriteGolden([](json& entry) { entry.erase("margins"); });
  const absl::Status status = Verify(folder_.path());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("golden.json"), HasSubstr("decoder.prompts[0]")));
}

// A language model makes no vectors, which a dimension would be of.
TEST_F(DecoderTest, ABundleAloneNeedsNoDimension) {
  std::string space = kSpace;
  space.erase(space.find("  dimension"));
  const std::pair<const char*, int> cases[] = {
      {"", 0}, {"  dimension: 0\n", 0}, {"  dimension: 64\n", 64}};
  for (const auto& [line, dimension] : cases) {
    WriteTestFile(Path("bundle.yaml"), space + line + "decoder:\n  path: decoder\n");
    const auto manifest = ReadManifest(folder_.path());
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(manifest->space.dimension, dimension);
    EXPECT_TRUE(Load(folder_.path()).ok());
  }
  WriteTestFile(Path("bundle.yaml"), space + "  dimension: -1\ndecoder:\n  path: decoder\n");
  EXPECT_THAT(std::string(ReadManifest(folder_.path()).status().message()),
              HasSubstr("space.dimension: -1"));
  WriteTestFile(Path("bundle.yaml"), space + "text:\n  path: decoder\n");
  EXPECT_THAT(std::string(ReadManifest(folder_.path()).status().message()),
              HasSubstr("space.dimension: missing"));
}

TEST_F(DecoderTest, PlainFolderIsServedAlone) {
  const auto manifest = ReadManifest(Path("decoder"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(manifest->decoder && !manifest->text && !manifest->vision);
  EXPECT_EQ(manifest->space.dimension, 0);
  const auto model = Load(Path("decoder"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->chat_template, nullptr);
  EXPECT_TRUE(Verify(Path("decoder")).ok()) << Verify(Path("decoder"));
}

// The limit of inputs that encoders have is none of prompts.
TEST_F(DecoderTest, PromptsAreNotCutToTheTokenizersLength) {
  Write("decoder/tokenizer_config.json", {{"model_max_length", 2}});
  const auto model = Load(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->tokenizer->Encode("w1 w2 w3 w4")->ids, ElementsAre(1, 2, 3, 4));
}

TEST_F(DecoderTest, RefusalsSayWhy) {
  WriteTestFile(Path("decoder/chat_template.jinja"), "from a file");
  EXPECT_EQ(Load(folder_.path())->chat_template->Render({}, true, {})->text, "from a file");
  WriteTestFile(Path("decoder/chat_template.jinja"), "one line\n{% include 'x' %}");
  EXPECT_THAT(std::string(Load(folder_.path()).status().message()),
              AllOf(HasSubstr("decoder/chat_template.jinja"), HasSubstr("line 2")));
  WriteTestFile(Path("decoder/chat_template.jinja"), "");
  Write("decoder/generation_config.json", {{"top_p", 1.5}, {"num_beams", 4}});
  EXPECT_THAT(std::string(Load(folder_.path()).status().message()),
              AllOf(HasSubstr("generation_config.json"), HasSubstr("top_p"),
                    HasSubstr("num_beams: 4, supported is 1")));
  Write("decoder/tokenizer.json", WordTokenizer(98));
  {
    Write("decoder/generation_config.json", {{"eos_token_id", 2}});
    const terminus::settings::Collector collector;
    EXPECT_TRUE(Load(folder_.path()).ok()) << Load(folder_.path()).status();
    EXPECT_THAT(collector.warnings(), testing::Contains(HasSubstr("token \"w97\" with the id 97")));
  }
  json tokenizer = WordTokenizer(97);
  tokenizer["decoder"] = {{"type", "NoSuchDecoder"}};
  Write("decoder/tokenizer.json", tokenizer);
  EXPECT_THAT(std::string(Load(folder_.path()).status().message()), HasSubstr("NoSuchDecoder"));
  const auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok());
  auto without = *manifest;
  without.decoder.reset();
  EXPECT_EQ(LoadDecoder(without, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(LoadDecoder(*manifest, {.device = "tpu"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  // Another architecture.
  Write("decoder/config.json", {{"model_type", "gpt2"}});
  const absl::Status other = Load(folder_.path()).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(other.message()),
              AllOf(HasSubstr("config.json"), HasSubstr("gpt2"), HasSubstr("llama")));
}

TEST_F(DecoderTest, ATokenWithoutAnEmbeddingIsAWarning) {
  Write("decoder/tokenizer.json", WordTokenizer(98));
  const settings::Collector collector;
  const auto model = Load(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(collector.warnings(),
              ElementsAre(HasSubstr("decoder/tokenizer.json: token \"w97\" with the id 97: the "
                                    "model has embeddings of 97 tokens")));
}

TEST_F(DecoderTest, ACheckFindsEveryFaultWithoutLoading) {
  const auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const auto checked = LoadDecoder(*manifest, {.device = "cuda:99", .check_only = true});
  EXPECT_TRUE(checked.ok()) << checked.status();
  golden_["tensors"].erase(3);
  ASSERT_TRUE(
      checkpoint::WriteFakeWeights(Path("decoder/model.safetensors"), golden_["tensors"]).ok());
  const auto broken = LoadDecoder(*manifest, {.check_only = true});
  EXPECT_THAT(std::string(broken.status().message()), HasSubstr("file has no such tensor"));
  EXPECT_EQ(broken.status(), LoadDecoder(*manifest, {.device = "cpu"}).status());
}

}  // namespace
}  // namespace terminus::models::bundle
