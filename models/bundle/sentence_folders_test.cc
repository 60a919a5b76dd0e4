// Whole sentence-transformers folders, from a text to its vector, against the reference's.
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/bundle/bundle.h"
#include "models/bundle/plain_folder.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::bundle {
namespace {

using checkpoint::WriteTestFile;
using nlohmann::json;
using testing::HasSubstr;

constexpr size_t kMaxGoldenBytes = 16 << 20;

json ReadFolders() {
  const auto text = base::ReadFile("tests/golden/settings/sentence_folders.json", kMaxGoldenBytes);
  EXPECT_TRUE(text.ok()) << text.status();
  return json::parse(text.value_or("{}"));
}

void WriteFolder(const json& golden, const json& variant, const std::string& folder) {
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder).ok());
  for (const json& files :
       {golden["tokenizers"][variant["tokenizer"].get<std::string>()], variant["files"]}) {
    for (const auto& [path, content] : files.items()) {
      WriteTestFile(folder + "/" + path, content.dump());
    }
  }
  const json weights = variant.value("weights", json::object());
  for (const auto& [path, tensors] : weights.items()) {
    ASSERT_TRUE(
        checkpoint::WriteFakeWeights(folder + "/" + path + "/model.safetensors", tensors).ok());
  }
}

absl::StatusOr<TextModel> Load(const std::string& folder) {
  const auto manifest = ReadPlainFolder(folder);
  return manifest.ok() ? LoadText(*manifest, {}) : manifest.status();
}

// As the text service puts texts together.
std::vector<float> Encode(const TextModel& model, const std::string& prompt_name,
                          const std::string& text) {
  const std::string prompt =
      prompt_name.empty() ? model.default_prompt : model.prompts.at(prompt_name);
  const auto encoding =
      model.tokenizer->Encode(prompt + text, static_cast<size_t>(model.max_tokens));
  EXPECT_TRUE(encoding.ok()) << encoding.status();
  const auto vectors = model.encoder->Encode({{encoding->ids}});
  EXPECT_TRUE(vectors.ok()) << vectors.status();
  return vectors->values;
}

TEST(SentenceFolders, EqualSentenceTransformers) {
  const json golden = ReadFolders();
  for (const json& variant : golden["variants"]) {
    SCOPED_TRACE(variant["name"].get<std::string>());
    const base::TempFolder folder;
    WriteFolder(golden, variant, folder.path());
    const auto model = Load(folder.path());
    ASSERT_TRUE(model.ok()) << model.status();
    for (const json& group : variant["groups"]) {
      for (size_t i = 0; i < group["texts"].size(); ++i) {
        const auto expected = group["vectors"][i].get<std::vector<float>>();
        const auto vector = Encode(*model, group["prompt_name"], group["texts"][i]);
        ASSERT_EQ(vector.size(), expected.size());
        EXPECT_LT(checkpoint::MaxDifference(vector.data(), expected.data(), expected.size()), 2e-5)
            << "prompt \"" << group["prompt_name"] << "\", text " << i;
      }
    }
  }
}

class SentenceFolderRefusals : public testing::Test {
 protected:
  // What loading says of the first variant with other files.
  std::string ErrorOf(const json& files) {
    json variant = golden_["variants"][0];
    variant["files"].update(files);
    const base::TempFolder folder;
    WriteFolder(golden_, variant, folder.path());
    return std::string(Load(folder.path()).status().message());
  }
  // The same with one file of one key.
  std::string ErrorOf(const std::string& file, const std::string& key, const json& value) {
    json content = golden_["variants"][0]["files"].value(file, json::object());
    content[key] = value;
    return ErrorOf({{file, content}});
  }

  const json golden_ = ReadFolders();
};

TEST_F(SentenceFolderRefusals, NameTheFileAndTheKey) {
  struct Case {
    std::string file;
    std::string key;
    json value;
  };
  const std::string transformer = "sentence_bert_config.json";
  const std::string sentence = "config_sentence_transformers.json";
  const std::string pooling = "1_Pooling/config.json";
  const Case cases[] = {
      {transformer, "do_lower_case", "yes"},
      {transformer, "max_seq_length", 0},
      {transformer, "transformer_task", "fill-mask"},
      {transformer,
       "modality_config",
       {{"text", {{"method", "forward"}, {"method_output_name", "logits"}}}}},
      {transformer, "module_output_name", "sentence_embedding"},
      {transformer, "query_length", 8},
      {transformer, "document_length", 8},
      {transformer, "query_expansion", {{"strategy", "fixed"}, {"length", 8}}},
      {transformer, "config_args", {{"is_decoder", true}}},
      {transformer, "tokenizer_name_or_path", "other"},
      {sentence, "truncate_dim", 16},
      {sentence, "model_type", "SparseEncoder"},
      {sentence, "default_prompt_name", "nonesuch"},
      {sentence, "prompts", {{"query", 3}}},
      {pooling, "include_prompt", false},
      {pooling, "pooling_mode", "weightedmean"},
      {pooling, "pooling_mode", {"mean", "max"}},
  };
  for (const Case& one : cases) {
    const std::string error = ErrorOf(one.file, one.key, one.value);
    EXPECT_THAT(error, HasSubstr(one.file)) << one.key;
    EXPECT_THAT(error, HasSubstr(one.key)) << one.file;
  }
}

TEST_F(SentenceFolderRefusals, ArgumentsOfPythonCalls) {
  const std::string file = "sentence_bert_config.json";
  EXPECT_THAT(
      ErrorOf(file, "model_kwargs", {{"attn_implementation", "eager"}, {"is_decoder", true}}),
      HasSubstr("model_kwargs.is_decoder: not a supported argument"));
  EXPECT_THAT(ErrorOf(file, "tokenizer_args", {{"padding_side", "left"}}),
              HasSubstr("tokenizer_args.padding_side"));
  EXPECT_THAT(ErrorOf(file, "processing_kwargs", {{"text", {{"truncation", false}}}}),
              HasSubstr("processing_kwargs.text.truncation"));
  EXPECT_THAT(ErrorOf(file, "processing_kwargs", {{"common", {{"text_pair", "b"}}}}),
              HasSubstr("processing_kwargs.common.text_pair"));
}

TEST_F(SentenceFolderRefusals, ModulesThatAreNotKnownOrOutOfOrder) {
  const auto modules = [](const std::vector<std::string>& types) {
    json list = json::array();
    for (const std::string& type : types) {
      list.push_back({{"type", type},
                      {"path", absl::EndsWith(type, "Pooling") ? "1_Pooling" : ""},
                      {"name", std::to_string(list.size())}});
    }
    return json{{"modules.json", list}};
  };
  const std::string path = "sentence_transformers.models.";
  EXPECT_THAT(ErrorOf(modules({path + "Transformer", path + "Pooling", "my.Normalize"})),
              HasSubstr("\"my.Normalize\" is not supported"));
  EXPECT_THAT(ErrorOf(modules({"custom_st.Transformer", path + "Pooling"})),
              HasSubstr("\"custom_st.Transformer\""));
  EXPECT_THAT(ErrorOf(modules({path + "Transformer", path + "WordWeights"})),
              HasSubstr("WordWeights"));
  EXPECT_THAT(ErrorOf(modules({path + "Transformer", path + "Normalize", path + "Pooling"})),
              HasSubstr("module 1 stands in the wrong place"));
  EXPECT_THAT(ErrorOf(modules({path + "Transformer"})), HasSubstr("no Pooling"));
  json twice = modules({path + "Transformer", path + "Pooling", path + "Normalize"});
  twice["modules.json"][2]["name"] = "1";
  EXPECT_THAT(ErrorOf(twice), HasSubstr("name: \"1\" stands twice"));
}

TEST_F(SentenceFolderRefusals, DenseAndNormalize) {
  const std::string path = "sentence_transformers.models.";
  const auto with = [&](const std::string& type, const json& config) {
    json modules = golden_["variants"][0]["files"]["modules.json"];
    modules.push_back({{"type", path + type}, {"path", "2"}, {"name", "2"}});
    return ErrorOf({{"modules.json", modules}, {"2/config.json", config}});
  };
  const json dense = {{"in_features", 32}, {"out_features", 8}};
  const auto dense_with = [&](const json& change) {
    json config = dense;
    config.update(change);
    return with("Dense", config);
  };
  EXPECT_THAT(dense_with({{"in_features", 31}}),
              HasSubstr("in_features: 31, the vectors before have 32"));
  EXPECT_THAT(dense_with({{"use_residual", true}}), HasSubstr("use_residual"));
  EXPECT_THAT(dense_with({{"module_input_name", "token_embeddings"}}),
              HasSubstr("module_input_name"));
  EXPECT_THAT(dense_with({{"activation_function", "torch.nn.modules.activation.ELU"}}),
              HasSubstr("ELU"));
  EXPECT_THAT(with("Normalize", {{"module_input_name", "token_embeddings"}}),
              HasSubstr("module_input_name"));
}

// sentence-transformers would make each text a message.
TEST(SentenceFolderTemplates, AreRefusedWithoutModules) {
  const json golden = ReadFolders();
  json variant = golden["variants"][0];
  variant["files"].erase("modules.json");
  const auto error_with = [&](const char* file, const json& content) {
    json changed = variant;
    changed["files"][file] = content;
    const base::TempFolder folder;
    WriteFolder(golden, changed, folder.path());
    return std::string(Load(folder.path()).status().message());
  };
  const json config =
      golden["tokenizers"][variant["tokenizer"].get<std::string>()]["tokenizer_config.json"];
  const auto config_with = [&](const json& chat_template) {
    json changed = config;
    changed["chat_template"] = chat_template;
    return error_with("tokenizer_config.json", changed);
  };
  EXPECT_EQ(config_with(nullptr), "");
  EXPECT_THAT(config_with("{{ messages }}"),
              HasSubstr("tokenizer_config.json, chat_template: without a modules.json, "
                        "sentence-transformers renders texts as messages with it"));
  EXPECT_THAT(error_with("chat_template.jinja", "{{ messages }}"),
              HasSubstr("chat_template.jinja: without a modules.json"));
  variant["files"]["modules.json"] = golden["variants"][0]["files"]["modules.json"];
  EXPECT_EQ(error_with("chat_template.jinja", "{{ messages }}"), "");
}

TEST(SentenceFolderLimits, TheLeastCountsAndHasAName) {
  const json golden = ReadFolders();
  const auto limit = [&](const json& transformer, int tokenizer) {
    json variant = golden["variants"][0];
    variant["files"]["sentence_bert_config.json"] = transformer;
    json with = golden;
    with["tokenizers"]["lower"]["tokenizer_config.json"]["model_max_length"] = tokenizer;
    const base::TempFolder folder;
    WriteFolder(with, variant, folder.path());
    const auto model = Load(folder.path());
    EXPECT_TRUE(model.ok()) << model.status();
    return std::to_string(model->max_tokens) + " by " + model->max_tokens_source;
  };
  EXPECT_EQ(limit({{"max_seq_length", 20}}, 25),
            "20 by max_seq_length of sentence_bert_config.json");
  EXPECT_EQ(limit({{"max_seq_length", 30}}, 25), "25 by model_max_length of tokenizer_config.json");
  EXPECT_EQ(limit({{"max_seq_length", 512}}, 512), "32 by max_position_embeddings of config.json");
  EXPECT_EQ(limit({{"processing_kwargs", {{"text", {{"max_length", 9}}}}}}, 512),
            "9 by processing_kwargs.text.max_length of sentence_bert_config.json");
}

}  // namespace
}  // namespace terminus::models::bundle
