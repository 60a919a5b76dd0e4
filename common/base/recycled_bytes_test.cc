#include "common/base/recycled_bytes.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace terminus::base {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(RecycledBytes, ABlockIsUsedAgainByTheNextOfAboutItsSize) {
  const uint8_t* first = nullptr;
  {
    RecycledBytes bytes(33 * kMiB);
    bytes[0] = bytes[33 * kMiB - 1] = 7;
    first = bytes.data();
  }
  RecycledBytes about(40 * kMiB - 5);
  EXPECT_EQ(about.data(), first);
  about[40 * kMiB - 6] = 1;
  // It is in use.
  const RecycledBytes another(40 * kMiB);
  EXPECT_NE(another.data(), first);
}

TEST(RecycledBytes, FewAreKept) {
  std::set<const uint8_t*> seen;
  {
    std::vector<RecycledBytes> many;
    for (int i = 0; i < 6; ++i) {
      many.emplace_back(5 * kMiB);
      seen.insert(many.back().data());
    }
  }
  EXPECT_EQ(seen.size(), 6U);
  // The four that were freed last.
  std::vector<RecycledBytes> again;
  for (int i = 0; i < 4; ++i) {
    again.emplace_back(5 * kMiB);
    EXPECT_EQ(seen.count(again.back().data()), 1U);
  }
}

TEST(RecycledBytes, IsAVector) {
  RecycledBytes bytes = {1, 2, 3};
  bytes.insert(bytes.end(), {4, 5});
  bytes.resize(3 * kMiB, 9);
  EXPECT_EQ(bytes[4], 5);
  EXPECT_EQ(bytes.back(), 9);
  const RecycledBytes copy = bytes;
  EXPECT_EQ(copy, bytes);
  bytes.clear();
  EXPECT_TRUE(bytes.empty());
  const RecycledBytes large(65 * kMiB, 1);
  EXPECT_EQ(large.back(), 1);
}

TEST(RecycledBytes, ThreadsShareTheBlocks) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 200; ++i) {
        RecycledBytes bytes((1 + (t + i) % 3) * kMiB);
        std::fill(bytes.begin(), bytes.begin() + 4096, static_cast<uint8_t>(t));
        ASSERT_EQ(bytes[4095], t);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace terminus::base
