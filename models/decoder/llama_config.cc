#include "models/decoder/llama_config.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"

namespace terminus::models::decoder {
namespace {

using settings::JsonFile;

constexpr size_t kMaxConfigBytes = 1 << 20;

// Within bounds that are far from what any model has, and from where float32 ends.
double Number(JsonFile& file, const std::string& key, double min, double max, double otherwise) {
  const double value = file.NumberOr(key, otherwise);
  if (!(value >= min && value <= max)) {
    file.Fault(key, absl::StrCat(value, ", expected a number from ", min, " to ", max));
    return otherwise;
  }
  return value;
}

double Theta(JsonFile& file, double otherwise) {
  return Number(file, "rope_theta", 1, 1e30, otherwise);
}

void ReadSizes(JsonFile& file, LlamaConfig* config) {
  config->vocab_size = static_cast<int>(file.Int("vocab_size", 1, 1 << 24));
  config->hidden_size = static_cast<int>(file.Int("hidden_size", 1, 1 << 16));
  config->layers = static_cast<int>(file.Int("num_hidden_layers", 1, 1024));
  config->heads = static_cast<int>(file.Int("num_attention_heads", 1, 1024));
  config->kv_heads = static_cast<int>(file.IntOr("num_key_value_heads", 1, 1024, config->heads));
  config->head_dim = static_cast<int>(
      file.IntOr("head_dim", 1, 1024, std::max(1, config->hidden_size / config->heads)));
  config->intermediate_size = static_cast<int>(file.Int("intermediate_size", 1, 1 << 20));
  config->max_positions = static_cast<int>(file.Int("max_position_embeddings", 1, 1 << 24));
  config->rms_norm_eps = static_cast<float>(Number(file, "rms_norm_eps", 1e-30, 1, 1e-6));
  if (config->heads % config->kv_heads != 0) {
    file.Fault("num_key_value_heads", absl::StrCat(config->kv_heads, " do not divide ",
                                                   config->heads, " attention heads"));
  }
  if (config->head_dim % 16 != 0) {
    file.Fault("head_dim", absl::StrCat(config->head_dim, ", supported are multiples of 16"));
  }
}

// Since version 5 of transformers all of it is in "rope_parameters"; before, theta stood alone and
// the rest in "rope_scaling".
void ReadRope(JsonFile& file, RopeConfig* rope) {
  const std::string section =
      file.json().contains("rope_parameters") ? "rope_parameters" : "rope_scaling";
  JsonFile scaling = file.Object(section);
  rope->theta = Theta(scaling, Theta(file, rope->theta));
  const std::string type = scaling.StringOr("rope_type", scaling.StringOr("type", "default"));
  if (type == "llama3") {
    rope->scaling = RopeConfig::Scaling::kLlama3;
    rope->factor = Number(scaling, "factor", 1, 1e6, 8);
    rope->low_freq_factor = Number(scaling, "low_freq_factor", 1e-6, 1e6, 1);
    rope->high_freq_factor = Number(scaling, "high_freq_factor", 1e-6, 1e6, 4);
    rope->original_max_positions =
        Number(scaling, "original_max_position_embeddings", 1, 1e9, 8192);
    if (rope->high_freq_factor <= rope->low_freq_factor) {
      scaling.Fault("high_freq_factor", "expected more than low_freq_factor");
    }
  } else if (type != "default") {
    scaling.Fault("rope_type",
                  absl::StrCat("\"", type, "\", supported are \"default\" and \"llama3\""));
  }
  if (scaling.NumberOr("partial_rotary_factor", file.NumberOr("partial_rotary_factor", 1)) != 1) {
    scaling.Fault("partial_rotary_factor", "supported is 1");
  }
  file.Adopt(section, scaling);
}

// What is wired into one of the families and configurable in another.
void ReadFamily(JsonFile& file, const std::string& type, LlamaConfig* config) {
  const bool attention_bias = file.BoolOr("attention_bias", false);
  config->qkv_bias = attention_bias || type == "qwen2";
  config->qk_norm = type == "qwen3";
  config->output_bias = attention_bias;
  config->mlp_bias = file.BoolOr("mlp_bias", false);
  config->tied_embeddings = file.BoolOr("tie_word_embeddings", false);
  const std::string activation = file.StringOr("hidden_act", "silu");
  if (activation != "silu") {
    file.Fault("hidden_act", absl::StrCat("\"", activation, "\", supported is \"silu\""));
  }
  const bool windowed = type == "mistral" || file.BoolOr("use_sliding_window", false);
  const int64_t window = file.IntOr("sliding_window", 1, int64_t{1} << 32, config->max_positions);
  if (windowed && window < config->max_positions) {
    // Up to the window's length, attention over all is the same.
    config->max_positions = static_cast<int>(window);
  }
}

// Whatever family the file is of.
absl::StatusOr<LlamaConfig> ReadConfig(JsonFile file, const std::string& type) {
  LlamaConfig config;
  ReadSizes(file, &config);
  ReadRope(file, &config.rope);
  ReadFamily(file, type, &config);
  config.eos_token_ids = ReadEosTokenIds(file, config.vocab_size);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace

bool IsLlamaFamily(absl::string_view model_type) {
  return model_type == "llama" || model_type == "mistral" || model_type == "qwen2";
}

absl::StatusOr<LlamaConfig> ReadLlamaConfig(const std::string& folder) {
  const std::string path = folder + "/config.json";
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxConfigBytes));
  return ParseLlamaConfig(path, text);
}

absl::StatusOr<LlamaConfig> ParseLlamaConfig(const std::string& name, const std::string& text) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Parse(name, text));
  const std::string type = file.StringOr("model_type", "");
  if (!file.json().is_object() || !IsLlamaFamily(type)) {
    file.Fault("model_type",
               absl::StrCat("\"", type, "\", supported for generation are \"llama\", \"mistral\" ",
                            "and \"qwen2\""));
    return file.status();
  }
  return ReadConfig(std::move(file), type);
}

absl::StatusOr<LlamaConfig> ReadQwen3EncoderConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(folder + "/config.json"));
  // The family's own default is not the hidden size over the heads.
  file.Int("head_dim", 1, 1024);
  const nlohmann::json types = file.json().value("layer_types", nlohmann::json::array());
  for (const nlohmann::json& layer : types) {
    if (layer != "full_attention") {
      file.Fault("layer_types", absl::StrCat(layer.dump(), ", supported is \"full_attention\""));
      break;
    }
  }
  return ReadConfig(std::move(file), "qwen3");
}

std::vector<int32_t> ReadEosTokenIds(JsonFile& file, int vocab_size) {
  std::vector<int32_t> ids;
  const auto eos = file.json().find("eos_token_id");
  if (eos == file.json().end() || eos->is_null()) {
    return ids;
  }
  const nlohmann::json list = eos->is_array() ? *eos : nlohmann::json::array({*eos});
  for (const nlohmann::json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= vocab_size) {
      file.Fault("eos_token_id",
                 absl::StrCat(id.dump(), ", expected a token id below ", vocab_size));
      return {};
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::vector<float> RopeFrequencies(const RopeConfig& rope, int head_dim) {
  std::vector<float> frequencies;
  for (int i = 0; i < head_dim / 2; ++i) {
    double frequency = std::pow(rope.theta, -2.0 * i / head_dim);
    if (rope.scaling == RopeConfig::Scaling::kLlama3) {
      // Turns within the context that the model was first trained for.
      const double turns = rope.original_max_positions * frequency / (2 * M_PI);
      const double kept =
          (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      const double share = std::min(1.0, std::max(0.0, kept));
      frequency *= share + (1 - share) / rope.factor;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

}  // namespace terminus::models::decoder
