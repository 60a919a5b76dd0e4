#include "models/text/siglip_text.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"
#include "models/checkpoint/tower_section.h"
#include "models/settings/contrastive_config.h"
#include "models/settings/text_config.h"
#include "models/text/contrastive_text.h"

namespace terminus::models::text {
namespace {

using nlohmann::json;
using settings::JsonFile;

// A token stands as a string, or as an object with its content.
std::string ContentOf(const json& token) {
  const json content = token.is_object() ? token.value("content", json()) : token;
  return content.is_string() ? content.get<std::string>() : "";
}

// The id of an added token, by tokenizer_config.json or, where that has no list, tokenizer.json; -1
// if there is none.
absl::StatusOr<int64_t> FindAddedToken(const std::string& folder, const JsonFile& config,
                                       const std::string& token) {
  const json decoder = config.json().value("added_tokens_decoder", json::object());
  for (const auto& [id, entry] : decoder.items()) {
    int64_t number = 0;
    if (ContentOf(entry) == token && absl::SimpleAtoi(id, &number)) {
      return number;
    }
  }
  TERMINUS_ASSIGN_OR_RETURN(const JsonFile tokenizer, JsonFile::Read(folder + "/tokenizer.json"));
  const json tokens = tokenizer.json().value("added_tokens", json::array());
  for (const json& entry : tokens) {
    if (entry.is_object() && ContentOf(entry) == token &&
        entry.value("id", json()).is_number_integer()) {
      return entry["id"].get<int64_t>();
    }
  }
  return -1;
}

// Whether what the tokenizer makes for the model has no attention mask.
bool IsUnmasked(const JsonFile& config) {
  const json inputs = config.json().value("model_input_names", json());
  return inputs.is_array() &&
         std::find(inputs.begin(), inputs.end(), "attention_mask") == inputs.end();
}

// Whether the tokenizer's class pads on the left where the file says nothing.
bool PadsLeft(JsonFile& config) {
  const std::string declared = config.StringOr("tokenizer_class", "");
  const absl::string_view name = absl::StripSuffix(declared, "Fast");
  return name == "GemmaTokenizer" || name == "Siglip2Tokenizer";
}

absl::StatusOr<Padding> ReadPadding(const std::string& folder, int max_positions, int vocab_size) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(folder + "/tokenizer_config.json"));
  if (!IsUnmasked(file)) {
    file.Fault("model_input_names",
               "supported is a list without \"attention_mask\": padding is seen by the model");
  }
  if (file.StringOr("padding_side", PadsLeft(file) ? "left" : "right") != "right") {
    file.Fault("padding_side", "supported is \"right\"");
  }
  Padding padding{.length = max_positions};
  const json length = file.json().value("model_max_length", json());
  // More than the positions, such as 1e30, says nothing.
  if (length.is_number() && length.get<double>() < max_positions) {
    padding.length = static_cast<int>(file.Int("model_max_length", 1, max_positions));
  }
  const std::string token = ContentOf(file.json().value("pad_token", json()));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t id, FindAddedToken(folder, file, token));
  if (token.empty() || id < 0 || id >= vocab_size) {
    file.Fault("pad_token", absl::StrCat("\"", token, "\" has the id ", id,
                                         ", expected a special token's, below ", vocab_size));
  }
  padding.token_id = static_cast<int32_t>(id);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return padding;
}

}  // namespace

absl::StatusOr<TextPlan> ReadSiglipTextPlan(const SentenceConfig& sentence) {
  const std::string& folder = sentence.encoder_folder;
  TERMINUS_ASSIGN_OR_RETURN(
      auto section, checkpoint::TowerSection::Read(folder, "text_config", &settings::kSiglipConfig,
                                                   &settings::kSiglipTextModelConfig));
  JsonFile& file = section.tower();
  ContrastiveTextConfig config;
  config.vocab_size = static_cast<int>(file.IntOr("vocab_size", 1, 1 << 24, 32000));
  config.max_positions = static_cast<int>(file.IntOr("max_position_embeddings", 1, 1 << 20, 64));
  config.transformer = nn::ReadTransformerConfig(
      file,
      {.layers = 12,
       .block = {
           .heads = 12, .layer_norm_eps = 1e-6, .mlp = {.hidden = 768, .intermediate = 3072}}});
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "gelu_pytorch_tanh");
  config.pooling = TokenPooling::kLast;
  config.head = "head";
  config.head_bias = true;
  config.dimension =
      static_cast<int>(file.IntOr("projection_size", 1, 1 << 16, config.transformer.hidden()));
  if (sentence.has_pooling) {
    file.Fault("modules.json", "SigLIP's text tower pools by itself");
  }
  TERMINUS_RETURN_IF_ERROR(section.Finish());
  TERMINUS_ASSIGN_OR_RETURN(config.padding,
                            ReadPadding(folder, config.max_positions, config.vocab_size));
  return TextPlan{.dimension = config.dimension,
                  .names = kContrastiveTextNames,
                  .build = [config](const nn::Loader& loader) {
                    return std::make_unique<ContrastiveText>(config, loader);
                  }};
}

}  // namespace terminus::models::text
