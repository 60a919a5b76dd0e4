#include "services/decoder/cache/block_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace terminus::services::decoder::cache {
namespace {

std::vector<int32_t> Tokens(int32_t value) { return std::vector<int32_t>(kBlockTokens, value); }

TEST(BlockPool, GivesEachBlockOnceAndTakesItBack) {
  BlockPool pool(3);
  std::set<int32_t> blocks = {pool.Allocate(), pool.Allocate(), pool.Allocate()};
  EXPECT_EQ(blocks, (std::set<int32_t>{0, 1, 2}));
  EXPECT_EQ(pool.available(), 0);
  EXPECT_EQ(pool.used(), 3);
  pool.Release(1);
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.Allocate(), 1);
}

TEST(BlockPool, ASharedBlockIsFreeWhenItsLastHolderLeaves) {
  BlockPool pool(1);
  const int32_t block = pool.Allocate();
  pool.Share(block);
  pool.Release(block);
  EXPECT_EQ(pool.used(), 1);
  pool.Release(block);
  EXPECT_EQ(pool.free(), 1);
}

TEST(BlockPool, APublishedBlockIsFoundByItsTokensAndWhatCameBefore) {
  BlockPool pool(4);
  const int32_t first = pool.Allocate();
  const PrefixId one = pool.Publish(first, kNoPrefix, Tokens(1));
  const int32_t second = pool.Allocate();
  const PrefixId two = pool.Publish(second, one, Tokens(2));
  EXPECT_NE(one, two);
  EXPECT_EQ(pool.Find(kNoPrefix, Tokens(1))->block, first);
  EXPECT_EQ(pool.Find(one, Tokens(2))->block, second);
  EXPECT_FALSE(pool.Find(kNoPrefix, Tokens(2)).has_value());
  EXPECT_FALSE(pool.Find(one, Tokens(1)).has_value());
  EXPECT_FALSE(pool.Find(two, Tokens(2)).has_value());
}

TEST(BlockPool, TheSameTokensTwiceAreOnePrefix) {
  BlockPool pool(2);
  const int32_t first = pool.Allocate();
  const int32_t second = pool.Allocate();
  const PrefixId prefix = pool.Publish(first, kNoPrefix, Tokens(1));
  EXPECT_EQ(pool.Publish(second, kNoPrefix, Tokens(1)), prefix);
  pool.Release(second);
  EXPECT_EQ(pool.free(), 1) << "the second copy is not kept";
  pool.Release(first);
  EXPECT_EQ(pool.cached(), 1);
}

TEST(BlockPool, CachedBlocksGoLeastRecentlyUsedFirst) {
  BlockPool pool(3);
  for (int32_t i = 0; i < 3; ++i) {
    pool.Publish(pool.Allocate(), kNoPrefix, Tokens(i));
  }
  for (int32_t i = 0; i < 3; ++i) {
    pool.Release(i);
  }
  EXPECT_EQ(pool.cached(), 3);
  pool.Share(0);  // Used again: now the newest once released.
  pool.Release(0);
  EXPECT_EQ(pool.Allocate(), 1);
  EXPECT_FALSE(pool.Find(kNoPrefix, Tokens(1)).has_value());
  EXPECT_TRUE(pool.Find(kNoPrefix, Tokens(0)).has_value());
  EXPECT_EQ(pool.Allocate(), 2);
  EXPECT_EQ(pool.Allocate(), 0);
  EXPECT_EQ(pool.used(), 3);
}

TEST(BlockPool, FreeBlocksGoBeforeCachedOnes) {
  BlockPool pool(2);
  const int32_t kept = pool.Allocate();
  pool.Publish(kept, kNoPrefix, Tokens(1));
  pool.Release(kept);
  EXPECT_NE(pool.Allocate(), kept);
  EXPECT_TRUE(pool.Find(kNoPrefix, Tokens(1)).has_value());
}

// Against a plain model: counts add up, nothing in use is given away, what is found has the tokens.
TEST(BlockPool, RandomOperationsKeepTheInvariants) {
  constexpr int kBlocks = 12;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    BlockPool pool(kBlocks);
    std::vector<int> holders(kBlocks, 0);
    std::vector<int> content(kBlocks, -1);  // What was published, -1 for nothing.
    for (int step = 0; step < 2000; ++step) {
      const auto block = static_cast<int32_t>(random() % kBlocks);
      switch (random() % 4) {
        case 0:
          if (pool.available() > 0) {
            const int32_t given = pool.Allocate();
            ASSERT_EQ(holders[given], 0);
            holders[given] = 1;
            content[given] = -1;
          }
          break;
        case 1:
          if (holders[block] > 0) {
            pool.Release(block);
            --holders[block];
          }
          break;
        case 2:
          if (holders[block] > 0 && content[block] < 0) {
            const auto value = static_cast<int32_t>(random() % 8);
            const bool fresh = !pool.Find(kNoPrefix, Tokens(value)).has_value();
            pool.Publish(block, kNoPrefix, Tokens(value));
            content[block] = fresh ? value : -1;
          }
          break;
        default: {
          const auto value = static_cast<int32_t>(random() % 8);
          if (const auto found = pool.Find(kNoPrefix, Tokens(value)); found.has_value()) {
            ASSERT_EQ(content[found->block], value);
            pool.Share(found->block);
            ++holders[found->block];
          }
        }
      }
      int used = 0;
      int cached = 0;
      for (int32_t i = 0; i < kBlocks; ++i) {
        ASSERT_EQ(pool.holders(i), holders[i]);
        used += holders[i] > 0;
        cached += holders[i] == 0 && content[i] >= 0;
      }
      ASSERT_EQ(pool.used(), used);
      ASSERT_EQ(pool.cached(), cached);
      ASSERT_EQ(pool.free(), kBlocks - used - cached);
    }
  }
}

}  // namespace
}  // namespace terminus::services::decoder::cache
