#pragma once

#include <cstdint>
#include <utility>
#include <vector>

// How the thread blocks of Hopper's prefill attention share the work of a step: host code alone.
namespace terminus::models::decoder::cuda {

inline constexpr int kHopperTileQueries = 128;

// A step's sequences with several new tokens.
struct HopperSequences {
  const int32_t* query_indptr;   // [count + 1]: new tokens, from 0.
  const int32_t* kv_indptr;      // [count + 1]: KV blocks.
  const int32_t* last_page_len;  // [count]
  int count;
};

// The tables that FlashInfer's kernel reads: for each item, a tile of queries of one head, what it
// is of, and for each thread block where its items begin. Items are ordered by thread block.
struct HopperTables {
  int32_t* work_indptr;    // [thread blocks + 1]
  int32_t* tiles;          // [items], as those below: the tile's number in its sequence.
  int32_t* query_begins;   // The sequence's first query.
  int32_t* query_lengths;  // Its queries.
  int32_t* kv_begins;      // Its first KV block, in the block table.
  int32_t* kv_lengths;     // Its tokens, with the new ones.
  int32_t* heads;
  int32_t* sequences;
};

inline constexpr int kHopperTables = 8;

int64_t CountHopperItems(const HopperSequences& sequences, int heads);
// Numbers that the tables take.
int64_t HopperTableSize(int64_t items, int thread_blocks);
// The tables in memory of HopperTableSize(items, thread_blocks) numbers.
HopperTables PlaceHopperTables(int32_t* memory, int64_t items, int thread_blocks);

// Deals the items out, the costliest first, each to the thread block that has least to do. Keeps
// its memory for the next step.
class HopperPlanner {
 public:
  // Requires: `tables` were placed for CountHopperItems(sequences, heads) items.
  void Plan(const HopperSequences& sequences, int heads, int thread_blocks,
            const HopperTables& tables);

 private:
  struct Tile {
    int64_t cost;
    int32_t sequence;
    int32_t tile;
  };

  std::vector<Tile> tiles_;
  std::vector<std::pair<int64_t, int32_t>> loads_;  // A heap: cost so far, thread block.
  std::vector<int32_t> owners_;                     // [items]
  std::vector<int32_t> next_;                       // [thread blocks]: where its next item goes.
};

}  // namespace terminus::models::decoder::cuda
