#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "models/decoder/kv_view.h"

namespace terminus::services::decoder::cache {

inline constexpr int kBlockTokens = models::decoder::kKvBlockTokens;

// Names the tokens of a published block together with all tokens before it. Never used again for
// anything else; 0 stands for the beginning of a sequence.
using PrefixId = uint64_t;
inline constexpr PrefixId kNoPrefix = 0;

// The KV blocks of a device: which are free, how many hold each, and which tokens' keys and values
// the full ones have, so that a sequence that begins with the same tokens takes them over.
//
// A block is free, or used by at least one holder, or cached: held by nobody, but published. Cached
// blocks are given away, least recently used first, once none is free. Blocks are looked up by
// their tokens and what came before, compared in full: two different prefixes never get mixed up.
//
// Used by one thread at a time.
class BlockPool {
 public:
  explicit BlockPool(int blocks);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  int blocks() const { return static_cast<int>(blocks_.size()); }
  int free() const { return static_cast<int>(free_.size()); }
  int cached() const { return cached_; }
  int used() const { return blocks() - free() - cached(); }
  // What Allocate can still give.
  int available() const { return free() + cached(); }

  // A block with one holder and nothing published. Needs available() > 0.
  int32_t Allocate();
  // One more holder of a used or cached block.
  void Share(int32_t block);
  // One holder less.
  void Release(int32_t block);

  int holders(int32_t block) const { return blocks_[static_cast<size_t>(block)].holders; }

  // Says that a used block is full and holds exactly these kBlockTokens tokens, after `before`.
  // `soft` names the embeddings that stand in for some of them, 0 for none. When another block has
  // been published for the same already, this one stays unpublished. Returns the name of the prefix
  // that ends with these tokens.
  PrefixId Publish(int32_t block, PrefixId before, absl::Span<const int32_t> tokens,
                   uint64_t soft = 0);

  struct Found {
    int32_t block = 0;
    PrefixId prefix = kNoPrefix;
  };
  // The block with these kBlockTokens tokens and soft tokens after `before`. It may be cached:
  // Share it before the next Allocate.
  absl::optional<Found> Find(PrefixId before, absl::Span<const int32_t> tokens,
                             uint64_t soft = 0) const;

 private:
  struct Key {
    PrefixId before = kNoPrefix;
    uint64_t soft = 0;
    std::array<int32_t, kBlockTokens> tokens{};

    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Key& key) {
      return H::combine(std::move(state), key.before, key.soft, key.tokens);
    }
  };

  struct Block {
    int holders = 0;
    // Not kNoPrefix: published under `key`.
    PrefixId prefix = kNoPrefix;
    Key key;
    // Neighbours in the list of cached blocks.
    int32_t older = -1;
    int32_t newer = -1;
  };

  static Key MakeKey(PrefixId before, absl::Span<const int32_t> tokens, uint64_t soft);
  Block& At(int32_t block);
  void AppendToCached(int32_t block);
  void RemoveFromCached(int32_t block);

  std::vector<Block> blocks_;
  std::vector<int32_t> free_;  // The next to give at the back.
  absl::flat_hash_map<Key, int32_t> published_;
  PrefixId last_prefix_ = kNoPrefix;
  // The list of cached blocks, by when they were last used.
  int32_t oldest_ = -1;
  int32_t newest_ = -1;
  int cached_ = 0;
};

}  // namespace terminus::services::decoder::cache
