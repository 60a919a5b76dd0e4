#include "services/decoder/cache/block_pool.h"

#include <algorithm>

#include "common/base/check.h"

namespace terminus::services::decoder::cache {

BlockPool::BlockPool(int blocks) {
  TERMINUS_CHECK(blocks > 0);
  blocks_.resize(static_cast<size_t>(blocks));
  // Low ids first: a pool that is never full touches little memory.
  for (int32_t block = blocks - 1; block >= 0; --block) {
    free_.push_back(block);
  }
}

BlockPool::Block& BlockPool::At(int32_t block) {
  TERMINUS_CHECK(block >= 0 && block < blocks());
  return blocks_[static_cast<size_t>(block)];
}

int32_t BlockPool::Allocate() {
  int32_t block = oldest_;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else {
    TERMINUS_CHECK(block >= 0);
    RemoveFromCached(block);
    published_.erase(At(block).key);
    At(block).prefix = kNoPrefix;
  }
  At(block).holders = 1;
  return block;
}

void BlockPool::Share(int32_t block) {
  Block& shared = At(block);
  if (shared.holders == 0) {
    TERMINUS_CHECK(shared.prefix != kNoPrefix);
    RemoveFromCached(block);
  }
  ++shared.holders;
}

void BlockPool::Release(int32_t block) {
  Block& released = At(block);
  TERMINUS_CHECK(released.holders > 0);
  if (--released.holders > 0) {
    return;
  }
  if (released.prefix != kNoPrefix) {
    AppendToCached(block);
  } else {
    free_.push_back(block);
  }
}

PrefixId BlockPool::Publish(int32_t block, PrefixId before, absl::Span<const int32_t> tokens,
                            uint64_t soft) {
  Block& full = At(block);
  TERMINUS_CHECK(full.holders > 0 && full.prefix == kNoPrefix);
  const Key key = MakeKey(before, tokens, soft);
  const auto [entry, inserted] = published_.try_emplace(key, block);
  if (!inserted) {
    return At(entry->second).prefix;
  }
  full.prefix = ++last_prefix_;
  full.key = key;
  return full.prefix;
}

absl::optional<BlockPool::Found> BlockPool::Find(PrefixId before, absl::Span<const int32_t> tokens,
                                                 uint64_t soft) const {
  const auto found = published_.find(MakeKey(before, tokens, soft));
  if (found == published_.end()) {
    return absl::nullopt;
  }
  return Found{found->second, blocks_[static_cast<size_t>(found->second)].prefix};
}

BlockPool::Key BlockPool::MakeKey(PrefixId before, absl::Span<const int32_t> tokens,
                                  uint64_t soft) {
  TERMINUS_CHECK(tokens.size() == static_cast<size_t>(kBlockTokens));
  Key key{.before = before, .soft = soft};
  std::copy(tokens.begin(), tokens.end(), key.tokens.begin());
  return key;
}

void BlockPool::AppendToCached(int32_t block) {
  Block& added = At(block);
  added.older = newest_;
  added.newer = -1;
  (newest_ < 0 ? oldest_ : At(newest_).newer) = block;
  newest_ = block;
  ++cached_;
}

void BlockPool::RemoveFromCached(int32_t block) {
  const Block& removed = At(block);
  (removed.older < 0 ? oldest_ : At(removed.older).newer) = removed.newer;
  (removed.newer < 0 ? newest_ : At(removed.newer).older) = removed.older;
  --cached_;
}

}  // namespace terminus::services::decoder::cache
