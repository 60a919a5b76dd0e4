#include "services/decoder/cache/block_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <set>

namespace terminus::services::decoder::cache {
namespace {

using testing::ElementsAre;

std::vector<int32_t> Count(int from, int count) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  std::iota(tokens.begin(), tokens.end(), from);
  return tokens;
}

// Computes all of a sequence's tokens.
void Fill(BlockTables& tables, uint64_t id, const std::vector<int32_t>& tokens) {
  tables.Open(id, tokens);
  ASSERT_TRUE(tables.Grow(id, static_cast<int>(tokens.size())));
  tables.Commit(id, tokens);
}

TEST(BlockTables, GrowsByWholeBlocksOrNotAtAll) {
  BlockTables tables(3);
  EXPECT_EQ(tables.Open(1, Count(0, 40)), 0);
  EXPECT_TRUE(tables.Grow(1, 1));
  EXPECT_TRUE(tables.Grow(1, 16));
  EXPECT_EQ(tables.Blocks(1).size(), 1u);
  EXPECT_TRUE(tables.Grow(1, 17));
  EXPECT_EQ(tables.Blocks(1).size(), 2u);
  EXPECT_FALSE(tables.Grow(1, 49));
  EXPECT_EQ(tables.Blocks(1).size(), 2u);
  EXPECT_EQ(tables.pool().available(), 1);
  tables.Close(1);
  tables.Close(1);
  EXPECT_EQ(tables.pool().free(), 3);
  EXPECT_EQ(tables.open(), 0);
}

TEST(BlockTables, ASecondSequenceTakesThePrefixOver) {
  BlockTables tables(8);
  Fill(tables, 1, Count(0, 40));
  std::vector<int32_t> other = Count(0, 40);
  other[20] = 999;  // Differs within the second block.
  EXPECT_EQ(tables.Lookup(other).tokens, 16);
  EXPECT_EQ(tables.Lookup(other).held_blocks, 1);
  EXPECT_EQ(tables.Open(2, other), 16);
  EXPECT_EQ(tables.Blocks(2)[0], tables.Blocks(1)[0]);
  EXPECT_EQ(tables.OwnBlocks(1), 2);
  EXPECT_EQ(tables.OwnBlocks(2), 0);
  ASSERT_TRUE(tables.Grow(2, 40));
  EXPECT_NE(tables.Blocks(2)[1], tables.Blocks(1)[1]);
  EXPECT_EQ(tables.pool().used(), 5);
}

TEST(BlockTables, TheLastTokenIsAlwaysLeftToCompute) {
  BlockTables tables(4);
  Fill(tables, 1, Count(0, 32));
  tables.Close(1);
  EXPECT_EQ(tables.pool().cached(), 2);
  EXPECT_EQ(tables.Lookup(Count(0, 32)).tokens, 16);
  EXPECT_EQ(tables.Lookup(Count(0, 33)).tokens, 32);
  EXPECT_EQ(tables.Lookup(Count(0, 33)).held_blocks, 0);
  EXPECT_EQ(tables.Lookup(Count(0, 1)).tokens, 0);
  EXPECT_EQ(tables.Lookup({}).tokens, 0);
}

TEST(BlockTables, OnlyWhatIsComputedIsShared) {
  BlockTables tables(8);
  const std::vector<int32_t> tokens = Count(0, 64);
  tables.Open(1, tokens);
  ASSERT_TRUE(tables.Grow(1, 64));
  EXPECT_EQ(tables.Lookup(tokens).tokens, 0);
  tables.Commit(1, absl::MakeConstSpan(tokens).first(31));
  EXPECT_EQ(tables.Lookup(tokens).tokens, 16);
  tables.Commit(1, absl::MakeConstSpan(tokens).first(32));
  EXPECT_EQ(tables.Lookup(tokens).tokens, 32);
}

TEST(BlockTables, TheEndOfACachedPrefixIsGivenAwayFirst) {
  BlockTables tables(3);
  Fill(tables, 1, Count(0, 48));
  tables.Close(1);
  tables.Open(2, Count(1000, 16));
  ASSERT_TRUE(tables.Grow(2, 16));
  EXPECT_EQ(tables.Lookup(Count(0, 49)).tokens, 32);
}

TEST(BlockTables, EqualSequencesComputedAtOnceGoOnSharing) {
  BlockTables tables(8);
  const std::vector<int32_t> tokens = Count(0, 33);
  tables.Open(1, tokens);
  tables.Open(2, tokens);
  ASSERT_TRUE(tables.Grow(1, 33));
  ASSERT_TRUE(tables.Grow(2, 33));
  tables.Commit(1, tokens);
  tables.Commit(2, tokens);
  tables.Close(1);
  tables.Close(2);
  EXPECT_EQ(tables.pool().cached(), 2) << "one copy of each full block";
  EXPECT_EQ(tables.Lookup(tokens).tokens, 32);
}

// Stands for the device's memory: every block remembers what was written, and every sequence must
// read back its own tokens at every step.
TEST(BlockTables, RandomSequencesAlwaysReadBackTheirTokens) {
  constexpr int kBlocks = 10;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    BlockTables tables(kBlocks);
    std::vector<std::vector<int32_t>> memory(kBlocks, std::vector<int32_t>(kBlockTokens, -1));
    struct Live {
      std::vector<int32_t> tokens;
      int computed = 0;
    };
    std::map<uint64_t, Live> live;
    uint64_t next_id = 0;
    for (int step = 0; step < 1500; ++step) {
      if (random() % 4 == 0) {
        Live sequence;
        // Few distinct beginnings, so that prefixes meet.
        sequence.tokens = Count(static_cast<int>(random() % 2) * 1000, 1 + random() % 50);
        sequence.computed = tables.Open(next_id, sequence.tokens);
        live.emplace(next_id++, sequence);
      } else if (!live.empty()) {
        auto entry = std::next(live.begin(), static_cast<int>(random() % live.size()));
        Live& sequence = entry->second;
        if (random() % 5 == 0) {
          tables.Close(entry->first);
          live.erase(entry);
        } else if (tables.Grow(entry->first, static_cast<int>(sequence.tokens.size()))) {
          for (; sequence.computed < static_cast<int>(sequence.tokens.size());
               ++sequence.computed) {
            const auto block = tables.Blocks(entry->first)[sequence.computed / kBlockTokens];
            ASSERT_EQ(tables.pool().holders(block), 1) << "a shared block is written to";
            memory[block][sequence.computed % kBlockTokens] = sequence.tokens[sequence.computed];
          }
          tables.Commit(entry->first, sequence.tokens);
          sequence.tokens.push_back(static_cast<int32_t>(random() % 3));
        }
      }
      std::set<int32_t> held;
      for (const auto& [id, sequence] : live) {
        for (int i = 0; i < sequence.computed; ++i) {
          ASSERT_EQ(memory[tables.Blocks(id)[i / kBlockTokens]][i % kBlockTokens],
                    sequence.tokens[i]);
        }
        held.insert(tables.Blocks(id).begin(), tables.Blocks(id).end());
      }
      ASSERT_EQ(tables.pool().used(), static_cast<int>(held.size()));
    }
    for (const auto& [id, sequence] : live) {
      tables.Close(id);
    }
    EXPECT_EQ(tables.pool().used(), 0);
  }
}

// Soft tokens at 10 to 20: they touch the first two blocks.
models::decoder::SoftSpan Image(uint64_t hash, int first_row = 0) {
  auto image = std::make_shared<models::decoder::SoftTokens>();
  *image = {.content_hash = hash, .rows = 30};
  return {.first_token = 10, .first_row = first_row, .rows = 10, .tokens = image};
}

TEST(BlockTables, SoftTokensArePartOfAPrefix) {
  BlockTables tables(12);
  const std::vector<int32_t> tokens = Count(0, 40);
  ASSERT_EQ(tables.Open(1, tokens, {Image(7)}), 0);
  ASSERT_TRUE(tables.Grow(1, 40));
  tables.Commit(1, tokens, {Image(7)});
  EXPECT_EQ(tables.Lookup(tokens, {Image(7)}).tokens, 32);
  EXPECT_EQ(tables.Lookup(tokens, {Image(8)}).tokens, 0) << "another image";
  EXPECT_EQ(tables.Lookup(tokens, {Image(7, 1)}).tokens, 0) << "other rows of it";
  EXPECT_EQ(tables.Lookup(tokens).tokens, 0) << "none";
  models::decoder::SoftSpan moved = Image(7);
  moved.first_token = 11;
  EXPECT_EQ(tables.Lookup(tokens, {moved}).tokens, 0) << "in another place";
  // Soft tokens after the first block do not change the first block's key.
  models::decoder::SoftSpan late = Image(7);
  late.first_token = 16;
  ASSERT_EQ(tables.Open(2, tokens, {late}), 0);
  ASSERT_TRUE(tables.Grow(2, 40));
  tables.Commit(2, tokens, {late});
  EXPECT_EQ(tables.Lookup(tokens).tokens, 16);
}

}  // namespace
}  // namespace terminus::services::decoder::cache
