#include "models/decoder/llama_config.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/decoder/bounded_number.h"
#include "models/settings/decoder_config.h"

namespace terminus::models::decoder {
namespace {

using nlohmann::json;
using settings::JsonFile;

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr int64_t kMaxWindow = int64_t{1} << 32;

// Which layers attend within "sliding_window" tokens.
enum class Window {
  kNone,
  kAll,      // All, unless the window is null.
  kByLayer,  // Those from "max_window_layers" on, or of "layer_types", with "use_sliding_window".
};

// What is wired into one of the families and configurable in another, and the defaults of its
// configuration class in transformers.
struct Family {
  absl::string_view type;
  const settings::Table* table;
  LlamaConfig defaults;
  // 0: as many as there are heads of queries.
  int kv_heads = 0;
  // 0: the hidden size over the heads.
  int head_dim = 0;
  bool reads_attention_bias = false;
  bool reads_mlp_bias = false;
  Window window = Window::kNone;
};

constexpr int kDefaultWindow = 4096;
constexpr int kDefaultWindowLayers = 28;

LlamaConfig Defaults(int vocab_size, int intermediate_size, int max_positions) {
  LlamaConfig config;
  config.vocab_size = vocab_size;
  config.hidden_size = 4096;
  config.layers = 32;
  config.heads = 32;
  config.intermediate_size = intermediate_size;
  config.max_positions = max_positions;
  return config;
}

std::vector<Family> MakeFamilies() {
  const LlamaConfig llama = Defaults(32000, 11008, 2048);
  const LlamaConfig mistral = Defaults(32000, 14336, 4096 * 32);
  LlamaConfig qwen2 = Defaults(151936, 22016, 32768);
  LlamaConfig qwen3 = qwen2;
  qwen2.qkv_bias = true;
  qwen3.qk_norm = true;
  return {{.type = "llama",
           .table = &settings::kLlamaConfig,
           .defaults = llama,
           .reads_attention_bias = true,
           .reads_mlp_bias = true},
          {.type = "mistral",
           .table = &settings::kMistralConfig,
           .defaults = mistral,
           .kv_heads = 8,
           .window = Window::kAll},
          {.type = "qwen2",
           .table = &settings::kQwen2Config,
           .defaults = qwen2,
           .kv_heads = 32,
           .window = Window::kByLayer},
          {.type = "qwen3",
           .table = &settings::kQwen3Config,
           .defaults = qwen3,
           .kv_heads = 32,
           .head_dim = 128,
           .reads_attention_bias = true,
           .window = Window::kByLayer}};
}

// Null when it is none of them.
const Family* FindFamily(absl::string_view type) {
  static const auto* families = new std::vector<Family>(MakeFamilies());
  const auto found = std::find_if(families->begin(), families->end(),
                                  [&](const Family& family) { return family.type == type; });
  return found == families->end() ? nullptr : &*found;
}

// Absent and null differ here: null stands for what absent does in Llama.
bool IsNull(const JsonFile& file, const std::string& key) {
  const auto found = file.json().find(key);
  return found != file.json().end() && found->is_null();
}

int ReadInt(JsonFile& file, const std::string& key, int64_t max, int64_t otherwise) {
  return static_cast<int>(file.IntOr(key, 1, max, otherwise));
}

void ReadSizes(JsonFile& file, const Family& family, LlamaConfig* config) {
  config->vocab_size = ReadInt(file, "vocab_size", 1 << 24, config->vocab_size);
  config->hidden_size = ReadInt(file, "hidden_size", 1 << 16, config->hidden_size);
  config->layers = ReadInt(file, "num_hidden_layers", 1024, config->layers);
  config->heads = ReadInt(file, "num_attention_heads", 1024, config->heads);
  const bool as_heads = family.kv_heads == 0 || IsNull(file, "num_key_value_heads");
  config->kv_heads =
      ReadInt(file, "num_key_value_heads", 1024, as_heads ? config->heads : family.kv_heads);
  const int quotient = std::max(1, config->hidden_size / config->heads);
  config->head_dim =
      ReadInt(file, "head_dim", 1024, family.head_dim == 0 ? quotient : family.head_dim);
  config->intermediate_size =
      ReadInt(file, "intermediate_size", 1 << 20, config->intermediate_size);
  config->max_positions = ReadInt(file, "max_position_embeddings", 1 << 24, config->max_positions);
  config->rms_norm_eps =
      static_cast<float>(BoundedNumber(file, "rms_norm_eps", 1e-30, 1, config->rms_norm_eps));
  if (config->heads % config->kv_heads != 0) {
    file.Fault("num_key_value_heads", absl::StrCat(config->kv_heads, " do not divide ",
                                                   config->heads, " attention heads"));
  }
  if (config->head_dim % 16 != 0) {
    file.Fault("head_dim", absl::StrCat(config->head_dim, ", supported are multiples of 16"));
  }
}

// Whether any of the layers has a window by "layer_types"; nothing when the file has no such list.
std::optional<bool> ReadLayerTypes(JsonFile& file, const Family& family, int layers) {
  const json* types = file.Find("layer_types");
  if (types == nullptr) {
    return std::nullopt;
  }
  if (!types->is_array() || types->size() != static_cast<size_t>(layers)) {
    file.Fault("layer_types", absl::StrCat("expected a list of ", layers, " strings"));
    return std::nullopt;
  }
  bool windowed = false;
  for (const json& type : *types) {
    const std::string name = type.is_string() ? type.get<std::string>() : "";
    const bool sliding = family.window == Window::kByLayer && name == "sliding_attention";
    // "attention" is an older name.
    if (!sliding && name != "full_attention" && name != "attention") {
      file.Fault(
          "layer_types",
          absl::StrCat(type.dump(), ", supported is \"full_attention\"",
                       family.window == Window::kByLayer ? " and \"sliding_attention\"" : ""));
      return std::nullopt;
    }
    windowed = windowed || sliding;
  }
  return windowed;
}

int64_t ReadWindowSize(JsonFile& file) {
  const int64_t size = file.IntOr("sliding_window", 1, kMaxWindow, kDefaultWindow);
  return IsNull(file, "sliding_window") ? kMaxWindow : size;
}

// The tokens that a layer with the narrowest window sees. Until a text is longer, attention to all
// of it is the same.
int64_t ReadWindow(JsonFile& file, const Family& family, int layers) {
  const std::optional<bool> windowed = ReadLayerTypes(file, family, layers);
  if (family.window == Window::kNone) {
    return kMaxWindow;
  }
  if (family.window == Window::kAll) {
    return ReadWindowSize(file);
  }
  const bool use = file.BoolOr("use_sliding_window", false);
  const int64_t size = ReadWindowSize(file);
  const int64_t first = file.IntOr("max_window_layers", 0, kMaxWindow, kDefaultWindowLayers);
  if (!use && windowed.value_or(false)) {
    file.Fault("layer_types", "\"sliding_attention\" needs \"use_sliding_window\"");
  }
  return use && windowed.value_or(first < layers) ? size : kMaxWindow;
}

// Whatever family the file is of. Faults are noted in it.
LlamaConfig ReadConfig(JsonFile& file, const Family& family) {
  LlamaConfig config = family.defaults;
  ReadSizes(file, family, &config);
  config.rope = ReadRope(file, config.max_positions);
  if (family.reads_attention_bias) {
    config.output_bias = file.BoolOr("attention_bias", false);
    config.qkv_bias = config.output_bias;
  }
  config.mlp_bias = family.reads_mlp_bias && file.BoolOr("mlp_bias", false);
  config.max_positions = static_cast<int>(
      std::min<int64_t>(config.max_positions, ReadWindow(file, family, config.layers)));
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
  // Which table the file is bound to, its type says.
  TERMINUS_ASSIGN_OR_RETURN(JsonFile any, JsonFile::Parse(name, text));
  const std::string type = any.StringOr("model_type", "");
  if (!IsLlamaFamily(type)) {
    any.Fault("model_type", absl::StrCat("\"", type, "\", supported for generation are \"llama\", ",
                                         "\"mistral\" and \"qwen2\""));
    return any.status();
  }
  const Family& family = *FindFamily(type);
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Parse(name, text, family.table));
  LlamaConfig config = ReadConfig(file, family);
  config.tied_embeddings = file.BoolOr("tie_word_embeddings", false);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

absl::StatusOr<LlamaConfig> ReadQwen3EncoderConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(folder + "/config.json", &settings::kQwen3Config));
  LlamaConfig config = ReadConfig(file, *FindFamily("qwen3"));
  terminus::settings::RefuseNull(file, {"is_causal"});
  config.causal = file.BoolOr("is_causal", true);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace terminus::models::decoder
