#include "tools/verify/contradictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::tools::verify {
namespace {

using models::checkpoint::WriteFakeWeights;
using models::checkpoint::WriteTestFile;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ContradictionsTest : public testing::Test {
 protected:
  void Write(const std::string& name, const json& content) {
    WriteTestFile(folder_.Path(name), content.dump());
  }
  // `tensors` is JSON as WriteFakeWeights takes it.
  void WriteWeights(const std::string& name, const std::string& tensors) {
    ASSERT_TRUE(WriteFakeWeights(folder_.Path(name), json::parse(tensors)).ok());
  }

  // What makes square images of `side` pixels.
  static json Preprocessor(int side) {
    return {{"image_processor_type", "ViTImageProcessor"},
            {"size", {{"height", side}, {"width", side}}}};
  }

  // Words "[UNK]", "</s>" and "a" with ids 0, 1 and 2.
  void WriteTokenizer() {
    Write("tokenizer.json", {{"added_tokens", json::array()},
                             {"model",
                              {{"type", "WordPiece"},
                               {"unk_token", "[UNK]"},
                               {"continuing_subword_prefix", "##"},
                               {"max_input_chars_per_word", 100},
                               {"vocab", {{"[UNK]", 0}, {"</s>", 1}, {"a", 2}}}}}});
  }

  std::vector<std::string> Find() { return FindContradictions(folder_.path()); }

  base::TempFolder folder_;
};

TEST_F(ContradictionsTest, AFolderWhoseFilesAgreeHasNone) {
  EXPECT_THAT(Find(), IsEmpty());
  WriteTokenizer();
  Write("config.json", {{"vocab_size", 3},
                        {"eos_token_id", 1},
                        {"max_position_embeddings", 16},
                        {"image_size", 32},
                        {"dtype", "float32"}});
  Write("tokenizer_config.json", {{"eos_token", {{"content", "</s>"}}}, {"model_max_length", 16}});
  Write("special_tokens_map.json", {{"eos_token", "</s>"}});
  Write("generation_config.json", {{"eos_token_id", {1, 2}}});
  Write("added_tokens.json", {{"a", 2}});
  Write("preprocessor_config.json", Preprocessor(32));
  WriteWeights("model.safetensors", R"([["a", [2]]])");
  EXPECT_THAT(Find(), IsEmpty());
}

TEST_F(ContradictionsTest, TokensAndTheirIds) {
  WriteTokenizer();
  Write("config.json", {{"vocab_size", 2}, {"eos_token_id", 0}});
  Write("tokenizer_config.json",
        {{"eos_token", "</s>"}, {"added_tokens_decoder", {{"5", {{"content", "a"}}}}}});
  Write("special_tokens_map.json", {{"eos_token", {{"content", "a"}}}});
  Write("generation_config.json", {{"eos_token_id", 2}});
  Write("added_tokens.json", {{"b", 9}});
  EXPECT_THAT(
      Find(),
      ElementsAre(
          HasSubstr(
              "tokenizer.json: has a token \"a\" with the id 2; config.json: vocab_size is 2"),
          HasSubstr(
              "added_tokens.json: token \"b\" has the id 9; in tokenizer.json it is no token"),
          HasSubstr(
              "added_tokens_decoder: token \"a\" has the id 5; in tokenizer.json it has the id "
              "2"),
          HasSubstr("special_tokens_map.json: eos_token is \"a\"; tokenizer_config.json: \"</s>\""),
          HasSubstr("config.json: eos_token_id is 0; tokenizer_config.json: eos_token is \"</s>\", "
                    "which has the id 1"),
          HasSubstr("generation_config.json: eos_token_id is 2, which counts; config.json: 0")));
}

TEST_F(ContradictionsTest, Lengths) {
  Write("config.json", {{"max_position_embeddings", 16}});
  Write("tokenizer_config.json", {{"model_max_length", 512}});
  Write("sentence_bert_config.json", {{"max_seq_length", 128}});
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("model_max_length is 512; config.json: "
                                            "max_position_embeddings is 16, which counts"),
                                  HasSubstr("max_seq_length is 128; config.json: ")));
  // Without a limit of its own.
  WriteTestFile(folder_.Path("tokenizer_config.json"),
                R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("max_seq_length")));
}

TEST_F(ContradictionsTest, Images) {
  Write("config.json", {{"vision_config", {{"image_size", 48}}}});
  Write("preprocessor_config.json", Preprocessor(40));
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("preprocessor_config.json: makes images of 40x40 "
                                            "pixels; config.json: image_size is 48")));
  Write("processor_config.json", {{"image_processor", Preprocessor(48)}});
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("makes images of 40x40 pixels; ")));
}

TEST_F(ContradictionsTest, Templates) {
  Write("tokenizer_config.json", {{"chat_template", "a"}});
  WriteTestFile(folder_.Path("chat_template.jinja"), "b");
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("chat_template.jinja, which counts")));
  WriteTestFile(folder_.Path("chat_template.jinja"), "a");
  EXPECT_THAT(Find(), IsEmpty());
}

TEST_F(ContradictionsTest, ShardsAndTheirIndex) {
  WriteWeights("one.safetensors", R"([["a", [2]], ["b", [2]]])");
  Write("model.safetensors.index.json",
        {{"metadata", {{"total_size", 8}}}, {"weight_map", {{"a", "one.safetensors"}}}});
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("total_size is 8; the shards have 16 bytes"),
                                  HasSubstr("weight_map does not name the tensor \"b\"")));
  WriteWeights("model.safetensors", R"([["a", [2]]])");
  EXPECT_THAT(Find(), ElementsAre(HasSubstr("lies beside model.safetensors, which counts")));
}

TEST_F(ContradictionsTest, TiedTablesAndDtypes) {
  Write("config.json", {{"tie_word_embeddings", true}, {"torch_dtype", "bfloat16"}});
  WriteWeights("model.safetensors",
               R"([["model.embed_tokens.weight", [2, 3]], ["lm_head.weight", [2, 3]]])");
  EXPECT_THAT(Find(),
              ElementsAre(HasSubstr("tie_word_embeddings is true"),
                          HasSubstr("dtype is bfloat16; the weights are stored as float32")));
  Write("config.json", {{"tie_word_embeddings", true}});
  WriteWeights("model.safetensors",
               R"([["model.embed_tokens.weight", [2, 3]],
                   ["lm_head.weight", [2, 3], "model.embed_tokens.weight"]])");
  EXPECT_THAT(Find(), IsEmpty());
}

}  // namespace
}  // namespace terminus::tools::verify
