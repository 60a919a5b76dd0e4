#include "models/parallel/rank_memory.h"

#include <algorithm>
#include <cmath>

#include "models/decoder/cuda/llama_api.h"

namespace terminus::models::parallel {

std::vector<RankMemory> PlanMemory(const decoder::LlamaConfig& config, const Grid& grid,
                                   const Split& split, const DeviceSize& device,
                                   const decoder::LmOptions& options, int64_t element_bytes) {
  const decoder::LlamaConfig share = TensorShare(config, grid.tensor);
  decoder::LmOptions sizes = decoder::ResolveSizes(options, /*gpu=*/true);
  const double usable = device.share * static_cast<double>(device.bytes);
  std::vector<RankMemory> ranks;
  for (const decoder::LayerRange& layers : split) {
    sizes.layers = layers;
    RankMemory rank{.stage = static_cast<int>(ranks.size()),
                    .layers = layers,
                    .need = decoder::NeedOf(share, sizes, element_bytes)};
    rank.need.cache = 0;
    rank.need.graphs = TERMINUS_LLAMA_GRAPH_BYTES;
    rank.kv_block_bytes = decoder::KvBlockBytes(layers.last - layers.first, share.kv_heads,
                                                share.head_dim, element_bytes);
    const double left = usable - static_cast<double>(rank.need.sum());
    // The engine allocates one block more, for the padded rows of graphs.
    rank.kv_blocks =
        static_cast<int64_t>(std::floor(left / static_cast<double>(rank.kv_block_bytes))) - 1;
    ranks.push_back(rank);
  }
  return ranks;
}

int64_t KvBlocks(const std::vector<RankMemory>& ranks) {
  int64_t blocks = ranks.front().kv_blocks;
  for (const RankMemory& rank : ranks) {
    blocks = std::min(blocks, rank.kv_blocks);
  }
  return blocks;
}

}  // namespace terminus::models::parallel
