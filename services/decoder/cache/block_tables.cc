#include "services/decoder/cache/block_tables.h"

#include <algorithm>

#include "common/base/check.h"

namespace terminus::services::decoder::cache {
namespace {

absl::Span<const int32_t> TokensOfBlock(absl::Span<const int32_t> tokens, int block) {
  return tokens.subspan(static_cast<size_t>(block) * kBlockTokens, kBlockTokens);
}

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// Names the soft tokens in a block and where they are; 0: there are none.
uint64_t SoftOfBlock(BlockTables::Soft soft, int block) {
  uint64_t name = 0;
  for (const models::decoder::SoftSpan& span : soft) {
    const int first = std::max(span.first_token, block * kBlockTokens);
    const int end = std::min(span.first_token + span.rows, (block + 1) * kBlockTokens);
    if (first < end) {
      const auto row = static_cast<uint64_t>(span.first_row + first - span.first_token);
      name = Mix(name + span.tokens->content_hash + 1);
      name = Mix(name + (row << 16) + (static_cast<uint64_t>(first % kBlockTokens) << 8) +
                 static_cast<uint64_t>(end - first));
    }
  }
  return name;
}

// Blocks of a sequence that may be taken over: full ones, and not the last token's.
int Reusable(absl::Span<const int32_t> tokens) {
  return tokens.empty() ? 0 : (static_cast<int>(tokens.size()) - 1) / kBlockTokens;
}

}  // namespace

BlockTables::Prefix BlockTables::Lookup(absl::Span<const int32_t> tokens, Soft soft) const {
  Prefix prefix;
  PrefixId before = kNoPrefix;
  for (int i = 0; i < Reusable(tokens); ++i) {
    const auto found = pool_.Find(before, TokensOfBlock(tokens, i), SoftOfBlock(soft, i));
    if (!found.has_value()) {
      break;
    }
    before = found->prefix;
    prefix.tokens += kBlockTokens;
    prefix.held_blocks += pool_.holders(found->block) > 0 ? 1 : 0;
  }
  return prefix;
}

int BlockTables::Open(uint64_t id, absl::Span<const int32_t> tokens, Soft soft) {
  const auto [entry, inserted] = tables_.try_emplace(id);
  TERMINUS_CHECK(inserted);
  Table& table = entry->second;
  for (int i = 0; i < Reusable(tokens); ++i) {
    const auto found = pool_.Find(table.prefix, TokensOfBlock(tokens, i), SoftOfBlock(soft, i));
    if (!found.has_value()) {
      break;
    }
    pool_.Share(found->block);
    table.blocks.push_back(found->block);
    table.prefix = found->prefix;
    ++table.full;
  }
  return table.full * kBlockTokens;
}

bool BlockTables::Grow(uint64_t id, int tokens) {
  Table& table = tables_.at(id);
  const int missing = BlocksFor(tokens) - static_cast<int>(table.blocks.size());
  if (missing > pool_.available()) {
    return false;
  }
  for (int i = 0; i < missing; ++i) {
    table.blocks.push_back(pool_.Allocate());
  }
  return true;
}

void BlockTables::Commit(uint64_t id, absl::Span<const int32_t> tokens, Soft soft) {
  Table& table = tables_.at(id);
  const int full = static_cast<int>(tokens.size()) / kBlockTokens;
  TERMINUS_CHECK(BlocksFor(static_cast<int>(tokens.size())) <=
                 static_cast<int>(table.blocks.size()));
  for (; table.full < full; ++table.full) {
    table.prefix = pool_.Publish(table.blocks[static_cast<size_t>(table.full)], table.prefix,
                                 TokensOfBlock(tokens, table.full), SoftOfBlock(soft, table.full));
  }
}

void BlockTables::Close(uint64_t id) {
  const auto found = tables_.find(id);
  if (found == tables_.end()) {
    return;
  }
  // The end of a prefix goes first: without its beginning it would be of no use.
  std::vector<int32_t>& blocks = found->second.blocks;
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    pool_.Release(*block);
  }
  tables_.erase(found);
}

absl::Span<const int32_t> BlockTables::Blocks(uint64_t id) const { return tables_.at(id).blocks; }

int BlockTables::OwnBlocks(uint64_t id) const {
  const std::vector<int32_t>& blocks = tables_.at(id).blocks;
  return static_cast<int>(std::count_if(
      blocks.begin(), blocks.end(), [this](int32_t block) { return pool_.holders(block) == 1; }));
}

}  // namespace terminus::services::decoder::cache
