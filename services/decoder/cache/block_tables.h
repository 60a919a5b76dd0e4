#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "models/decoder/soft_tokens.h"
#include "services/decoder/cache/block_pool.h"

namespace terminus::services::decoder::cache {

// Blocks that `tokens` tokens take.
constexpr int BlocksFor(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

// The table of blocks of each open sequence. Full blocks are published as they come about, and a
// sequence that is opened begins with whatever prefix is at hand. A block is written to by one
// sequence only: what is shared is full. Used by one thread at a time.
//
// A sequence's soft tokens count as part of its tokens: a block that they touch is found only by a
// sequence with the same ones in the same positions.
class BlockTables {
 public:
  using Soft = absl::Span<const models::decoder::SoftSpan>;

  explicit BlockTables(int blocks) : pool_(blocks) {}

  // What Open would find for a sequence of these tokens.
  struct Prefix {
    // A multiple of kBlockTokens, and less than all: at least one token is left to compute, because
    // its logits are wanted.
    int tokens = 0;
    // Of their blocks, those that others hold already and that therefore cost nothing.
    int held_blocks = 0;
  };
  Prefix Lookup(absl::Span<const int32_t> tokens, Soft soft = {}) const;

  // Opens a sequence; returns how many of its tokens are at hand. The id must not be open.
  int Open(uint64_t id, absl::Span<const int32_t> tokens, Soft soft = {});

  // Gives an open sequence blocks for `tokens` tokens in all. False, and nothing is changed, when
  // there are not enough.
  bool Grow(uint64_t id, int tokens);

  // Says that the keys and values of exactly these tokens, the sequence's first, are in its blocks
  // now. Needs Grow before.
  void Commit(uint64_t id, absl::Span<const int32_t> tokens, Soft soft = {});

  // Gives the blocks back; published ones stay cached. An id that is not open is left alone.
  void Close(uint64_t id);

  absl::Span<const int32_t> Blocks(uint64_t id) const;
  // Blocks that closing the sequence would set free.
  int OwnBlocks(uint64_t id) const;

  int open() const { return static_cast<int>(tables_.size()); }
  const BlockPool& pool() const { return pool_; }

 private:
  struct Table {
    std::vector<int32_t> blocks;
    // Of the blocks, those published or found, and the name of the prefix they make up.
    int full = 0;
    PrefixId prefix = kNoPrefix;
  };

  BlockPool pool_;
  absl::flat_hash_map<uint64_t, Table> tables_;
};

}  // namespace terminus::services::decoder::cache
