#include "models/decoder/cuda/hopper_schedule.h"

#include <algorithm>
#include <functional>

#include "models/decoder/kv_view.h"

namespace terminus::models::decoder::cuda {
namespace {

// A tile's cost beside the keys that it sees, in keys: loading queries, writing results.
constexpr int64_t kTileCost = 2 * kHopperTileQueries;

int QueriesOf(const HopperSequences& sequences, int i) {
  return sequences.query_indptr[i + 1] - sequences.query_indptr[i];
}

int TilesOf(const HopperSequences& sequences, int i) {
  return (QueriesOf(sequences, i) + kHopperTileQueries - 1) / kHopperTileQueries;
}

int TokensOf(const HopperSequences& sequences, int i) {
  return (sequences.kv_indptr[i + 1] - sequences.kv_indptr[i] - 1) * kKvBlockTokens +
         sequences.last_page_len[i];
}

}  // namespace

int64_t CountHopperItems(const HopperSequences& sequences, int heads) {
  int64_t tiles = 0;
  for (int i = 0; i < sequences.count; ++i) {
    tiles += TilesOf(sequences, i);
  }
  return tiles * heads;
}

int64_t HopperTableSize(int64_t items, int thread_blocks) {
  return (kHopperTables - 1) * items + thread_blocks + 1;
}

HopperTables PlaceHopperTables(int32_t* memory, int64_t items, int thread_blocks) {
  int32_t* const first = memory + thread_blocks + 1;
  return {.work_indptr = memory,
          .tiles = first,
          .query_begins = first + items,
          .query_lengths = first + 2 * items,
          .kv_begins = first + 3 * items,
          .kv_lengths = first + 4 * items,
          .heads = first + 5 * items,
          .sequences = first + 6 * items};
}

void HopperPlanner::Plan(const HopperSequences& sequences, int heads, int thread_blocks,
                         const HopperTables& tables) {
  tiles_.clear();
  for (int i = 0; i < sequences.count; ++i) {
    const int queries = QueriesOf(sequences, i);
    const int before = TokensOf(sequences, i) - queries;
    for (int tile = 0; tile < TilesOf(sequences, i); ++tile) {
      const int seen = before + std::min(queries, (tile + 1) * kHopperTileQueries);
      tiles_.push_back({.cost = kTileCost + seen, .sequence = i, .tile = tile});
    }
  }
  std::stable_sort(tiles_.begin(), tiles_.end(),
                   [](const Tile& a, const Tile& b) { return a.cost > b.cost; });
  loads_.clear();
  for (int block = 0; block < thread_blocks; ++block) {
    loads_.emplace_back(0, block);
  }
  next_.assign(thread_blocks, 0);
  owners_.clear();
  // The heads of a tile side by side: those that share keys find them in the cache.
  for (const Tile& tile : tiles_) {
    for (int head = 0; head < heads; ++head) {
      std::pop_heap(loads_.begin(), loads_.end(), std::greater<>());
      auto& [load, block] = loads_.back();
      load += tile.cost;
      owners_.push_back(block);
      ++next_[block];
      std::push_heap(loads_.begin(), loads_.end(), std::greater<>());
    }
  }
  int32_t at = 0;
  for (int block = 0; block < thread_blocks; ++block) {
    tables.work_indptr[block] = at;
    at += std::exchange(next_[block], at);
  }
  tables.work_indptr[thread_blocks] = at;
  size_t item = 0;
  for (const Tile& tile : tiles_) {
    for (int head = 0; head < heads; ++head) {
      const int32_t to = next_[owners_[item++]]++;
      tables.tiles[to] = tile.tile;
      tables.query_begins[to] = sequences.query_indptr[tile.sequence];
      tables.query_lengths[to] = QueriesOf(sequences, tile.sequence);
      tables.kv_begins[to] = sequences.kv_indptr[tile.sequence];
      tables.kv_lengths[to] = TokensOf(sequences, tile.sequence);
      tables.heads[to] = head;
      tables.sequences[to] = tile.sequence;
    }
  }
}

}  // namespace terminus::models::decoder::cuda
