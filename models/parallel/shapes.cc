#include "models/parallel/shapes.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::parallel {
namespace {

struct Shape {
  absl::string_view name;
  int layers;
  int hidden_size;
  int heads;
  int intermediate_size;
};

constexpr Shape kShapes[] = {
    {"8b", 32, 4096, 32, 14336}, {"70b", 80, 8192, 64, 28672}, {"405b", 126, 16384, 128, 53248}};

}  // namespace

absl::StatusOr<decoder::LlamaConfig> ShapeByName(absl::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name == name) {
      decoder::LlamaConfig config;
      config.vocab_size = 128256;
      config.hidden_size = shape.hidden_size;
      config.layers = shape.layers;
      config.heads = shape.heads;
      config.kv_heads = 8;
      config.head_dim = 128;
      config.intermediate_size = shape.intermediate_size;
      config.max_positions = 131072;
      config.rms_norm_eps = 1e-5f;
      config.layer_attention.resize(config.layers);
      return config;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no shape \"", name, "\"; there are \"8b\", \"70b\" and \"405b\""));
}

}  // namespace terminus::models::parallel
