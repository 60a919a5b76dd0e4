#pragma once

#include <cstdint>
#include <vector>

#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"
#include "models/decoder/memory_plan.h"
#include "models/parallel/grid.h"
#include "models/parallel/stage_split.h"

namespace terminus::models::parallel {

struct DeviceSize {
  int64_t bytes = 0;
  // The rest of it stays free (decoder::LmOptions::memory_share).
  double share = 0.9;
};

// Memory of each rank of a stage, in bytes: the ranks of a stage are alike. A lower
// bound, as decoder::MemoryNeed: buffers of the links are not counted.
struct RankMemory {
  int stage = 0;
  decoder::LayerRange layers;
  // `cache` is 0: keys and values get what is left.
  decoder::MemoryNeed need;
  // A block of this rank's layers and KV heads.
  int64_t kv_block_bytes = 0;
  // Blocks that the device has room for. 0 or less: the model does not fit.
  int64_t kv_blocks = 0;
};

// One entry for each stage. `options` give the largest step; ResolveSizes is applied for a GPU.
// Requires: CheckGrid accepted the grid, and `split` has a stage for each of the grid.
std::vector<RankMemory> PlanMemory(const decoder::LlamaConfig& config, const Grid& grid,
                                   const Split& split, const DeviceSize& device,
                                   const decoder::LmOptions& options, int64_t element_bytes);

// The blocks that every rank has room for. A block of tokens needs one on each rank.
// Requires: `ranks` is not empty.
int64_t KvBlocks(const std::vector<RankMemory>& ranks);

}  // namespace terminus::models::parallel
