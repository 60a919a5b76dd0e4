#include "models/parallel/grid.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace terminus::models::parallel {

absl::Status CheckGrid(const decoder::LlamaConfig& config, const Grid& grid) {
  const auto fault = [](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(parts...));
  };
  const int tensor = grid.tensor;
  if (grid.pipeline < 1 || tensor < 1) {
    return fault("a grid of ", grid.pipeline, " stages by ", tensor,
                 " tensor ranks; both must be at least 1");
  }
  if (grid.pipeline > config.layers) {
    return fault(grid.pipeline, " pipeline stages; the model has ", config.layers,
                 " layers, and each stage needs one");
  }
  if (config.heads % tensor != 0) {
    return fault(tensor, " tensor ranks must divide the ", config.heads, " query heads");
  }
  if (config.intermediate_size % tensor != 0) {
    return fault(tensor, " tensor ranks must divide the intermediate size, ",
                 config.intermediate_size);
  }
  if (config.kv_heads % tensor != 0 && tensor % config.kv_heads != 0) {
    return fault(tensor, " tensor ranks must divide the ", config.kv_heads,
                 " KV heads, or be a multiple of their number, so that ranks share one");
  }
  return absl::OkStatus();
}

decoder::LlamaConfig TensorShare(const decoder::LlamaConfig& config, int tensor) {
  decoder::LlamaConfig share = config;
  share.heads = config.heads / tensor;
  share.kv_heads = std::max(1, config.kv_heads / tensor);
  share.intermediate_size = config.intermediate_size / tensor;
  share.vocab_size = (config.vocab_size + tensor - 1) / tensor;
  return share;
}

}  // namespace terminus::models::parallel
