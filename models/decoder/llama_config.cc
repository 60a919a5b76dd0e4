#include "models/decoder/llama_config.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/decoder/bounded_number.h"
#include "models/decoder/rope_settings.h"
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
  kAll,          // All, unless the window is null.
  kBehind,       // Those from "max_window_layers" on, or of "layer_types".
  kWithoutRope,  // Those that do not turn by positions, or of "layer_types".
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
  // "sliding_window" where the file has none; 0: no window.
  int64_t default_window = 4096;
  // Reads "no_rope_layers".
  bool reads_no_rope = false;
};

constexpr int kDefaultWindowLayers = 28;
constexpr int kDefaultNoRopeInterval = 4;

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

LlamaConfig SmolLm3Defaults() {
  LlamaConfig config = Defaults(128256, 11008, 32768);
  config.hidden_size = 2048;
  config.layers = 36;
  config.heads = 16;
  config.rope.theta = 2e6;
  config.tied_embeddings = true;
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
           .window = Window::kBehind},
          {.type = "qwen3",
           .table = &settings::kQwen3Config,
           .defaults = qwen3,
           .kv_heads = 32,
           .head_dim = 128,
           .reads_attention_bias = true,
           .window = Window::kBehind},
          {.type = "smollm3",
           .table = &settings::kSmolLm3Config,
           .defaults = SmolLm3Defaults(),
           .kv_heads = 4,
           .reads_attention_bias = true,
           .reads_mlp_bias = true,
           .window = Window::kWithoutRope,
           .default_window = 0,
           .reads_no_rope = true}};
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

// Which layers have a window by "layer_types"; nothing when the file has no such list.
std::optional<std::vector<bool>> ReadLayerTypes(JsonFile& file, const Family& family, int layers) {
  const json* types = file.Find("layer_types");
  if (types == nullptr) {
    return std::nullopt;
  }
  if (!types->is_array() || types->size() != static_cast<size_t>(layers)) {
    file.Fault("layer_types", absl::StrCat("expected a list of ", layers, " strings"));
    return std::nullopt;
  }
  const bool by_layer = family.window == Window::kBehind || family.window == Window::kWithoutRope;
  std::vector<bool> windowed;
  for (const json& type : *types) {
    const std::string name = type.is_string() ? type.get<std::string>() : "";
    const bool sliding = by_layer && name == "sliding_attention";
    // "attention" is an older name.
    if (!sliding && name != "full_attention" && name != "attention") {
      file.Fault("layer_types", absl::StrCat(type.dump(), ", supported is \"full_attention\"",
                                             by_layer ? " and \"sliding_attention\"" : ""));
      return std::nullopt;
    }
    windowed.push_back(sliding);
  }
  return windowed;
}

// 0: none.
int64_t ReadWindowSize(JsonFile& file, const Family& family) {
  const int64_t size = file.IntOr("sliding_window", 1, kMaxWindow, family.default_window);
  return IsNull(file, "sliding_window") ? 0 : size;
}

// Returns the window for contexts of `max_positions` tokens. A window of that size or more changes
// nothing, so that it becomes 0.
int WindowWithin(int64_t size, int max_positions) {
  return size < max_positions ? static_cast<int>(size) : 0;
}

// For families that say for each layer whether it has a window of `size` tokens.
void ReadWindowsByLayer(JsonFile& file, const Family& family, int64_t size, LlamaConfig* config) {
  const auto types = ReadLayerTypes(file, family, config->layers);
  const bool use = file.BoolOr("use_sliding_window", false);
  const int64_t first = family.window == Window::kBehind
                            ? file.IntOr("max_window_layers", 0, kMaxWindow, kDefaultWindowLayers)
                            : 0;
  const bool any = types && std::find(types->begin(), types->end(), true) != types->end();
  if (any && (!use || size == 0)) {
    file.Fault("layer_types", absl::StrCat("\"sliding_attention\" needs \"",
                                           use ? "sliding_window" : "use_sliding_window", "\""));
  }
  if (!use) {
    return;
  }
  for (int i = 0; i < config->layers; ++i) {
    LayerAttention& layer = config->layer_attention[i];
    const bool by_default = family.window == Window::kBehind ? i >= first : !layer.rope;
    if (types ? (*types)[i] : by_default) {
      layer.window = WindowWithin(size, config->max_positions);
    }
  }
}

void ReadWindows(JsonFile& file, const Family& family, LlamaConfig* config) {
  if (family.window == Window::kNone || family.window == Window::kAll) {
    ReadLayerTypes(file, family, config->layers);
  }
  if (family.window == Window::kNone) {
    return;
  }
  const int64_t size = ReadWindowSize(file, family);
  if (family.window != Window::kAll) {
    ReadWindowsByLayer(file, family, size, config);
    return;
  }
  for (LayerAttention& layer : config->layer_attention) {
    layer.window = WindowWithin(size, config->max_positions);
  }
}

// Sets which layers do not turn by positions: those with a 0 in "no_rope_layers", or each
// "no_rope_layer_interval"th.
void ReadNoRope(JsonFile& file, LlamaConfig* config) {
  const int64_t interval =
      file.IntOr("no_rope_layer_interval", 1, kMaxWindow, kDefaultNoRopeInterval);
  const json* turns = file.Find("no_rope_layers");
  const auto count = static_cast<size_t>(config->layers);
  if (turns != nullptr && (!turns->is_array() || turns->size() < count)) {
    file.Fault("no_rope_layers", absl::StrCat("expected a list of at least ", count, " numbers"));
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    bool rope = (i + 1) % interval != 0;
    if (turns != nullptr) {
      const json& value = (*turns)[i];
      if (!value.is_number_integer()) {
        file.Fault("no_rope_layers", absl::StrCat(value.dump(), ", expected 0 or 1"));
        return;
      }
      rope = value.get<int64_t>() != 0;
    }
    config->layer_attention[i].rope = rope;
  }
}

// Whatever family the file is of. Faults are noted in it.
LlamaConfig ReadConfig(JsonFile& file, const Family& family) {
  LlamaConfig config = family.defaults;
  ReadSizes(file, family, &config);
  RopeSettings rope = ReadRope(file, config.head_dim, config.max_positions, config.rope.theta);
  config.rope = std::move(rope.rope);
  config.max_positions = rope.max_positions;
  if (family.reads_attention_bias) {
    config.output_bias = file.BoolOr("attention_bias", false);
    config.qkv_bias = config.output_bias;
  }
  config.mlp_bias = family.reads_mlp_bias && file.BoolOr("mlp_bias", false);
  config.layer_attention.resize(config.layers);
  if (family.reads_no_rope) {
    ReadNoRope(file, &config);
  }
  ReadWindows(file, family, &config);
  return config;
}

// Up to the narrowest window, attention within windows is attention to all.
void EndContextAtWindows(LlamaConfig* config) {
  for (LayerAttention& layer : config->layer_attention) {
    if (layer.window != 0) {
      config->max_positions = std::min(config->max_positions, layer.window);
      layer.window = 0;
    }
  }
}

}  // namespace

bool IsLlamaFamily(absl::string_view model_type) { return FindFamily(model_type) != nullptr; }

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
                                         "\"mistral\", \"qwen2\", \"qwen3\" and \"smollm3\""));
    return any.status();
  }
  const Family& family = *FindFamily(type);
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Parse(name, text, family.table));
  LlamaConfig config = ReadConfig(file, family);
  config.tied_embeddings = file.BoolOr("tie_word_embeddings", config.tied_embeddings);
  if (type == "qwen3" || type == "smollm3") {
    // These take null for false.
    terminus::settings::RefuseNull(file, {"is_causal"});
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

absl::StatusOr<LlamaConfig> ReadQwen3EncoderConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(
      JsonFile file, JsonFile::Read(folder + "/config.json", &settings::kQwen3EncoderConfig));
  LlamaConfig config = ReadConfig(file, *FindFamily("qwen3"));
  EndContextAtWindows(&config);
  terminus::settings::RefuseNull(file, {"is_causal"});
  config.causal = file.BoolOr("is_causal", true);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace terminus::models::decoder
