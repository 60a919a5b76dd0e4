#include "services/router/dispatch/decoder_pool.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>

#include "common/base/errors.h"

namespace terminus::services::router::dispatch {
namespace {

class DecoderPoolTest : public ::testing::Test {
 protected:
  void Add(const std::string& address, std::function<void()> on_lost = nullptr) {
    pool_.AddReplica({.address = address, .space_ids = {"space"}, .on_lost = std::move(on_lost)});
  }

  metrics::Registry registry_{"test"};
  DecoderPool pool_{{}, registry_};
};

TEST_F(DecoderPoolTest, NoneIsUnavailableWithADelay) {
  const auto lease = pool_.Pin("space");
  EXPECT_EQ(lease.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(base::RetryDelay(lease.status()).has_value());
}

TEST_F(DecoderPoolTest, FewestRequestsFirstThenTheOneThatWaited) {
  Add("a");
  Add("b");
  auto first = pool_.Pin("space");
  auto second = pool_.Pin("space");
  EXPECT_EQ(first->address(), "a");
  EXPECT_EQ(second->address(), "b");
  { const DecoderPool::Lease done = *std::move(second); }
  EXPECT_EQ(pool_.Pin("space")->address(), "b");
  { const DecoderPool::Lease done = *std::move(first); }
  // Both are idle: "b" was used last.
  EXPECT_EQ(pool_.Pin("space")->address(), "a");
}

TEST_F(DecoderPoolTest, AnotherSpaceIsNotPinned) {
  Add("a");
  EXPECT_FALSE(pool_.Pin("other").ok());
}

TEST_F(DecoderPoolTest, LostIsToldOnceAndPinnedNoMore) {
  int told = 0;
  Add("a", [&] { ++told; });
  auto one = pool_.Pin("space");
  auto two = pool_.Pin("space");
  one->ReportLost();
  two->ReportLost();
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(pool_.Pin("space").ok());
  EXPECT_EQ(pool_.load("a"), std::nullopt);
}

TEST_F(DecoderPoolTest, CloseWaitsForLeases) {
  Add("a");
  auto lease = pool_.Pin("space");
  std::atomic<bool> closed = false;
  std::thread closer([&] {
    pool_.Close();
    closed = true;
  });
  EXPECT_FALSE(closed);
  { const DecoderPool::Lease done = *std::move(lease); }
  closer.join();
  EXPECT_FALSE(pool_.Pin("space").ok());
}

TEST_F(DecoderPoolTest, TwoSpacesWhileAModelIsReplaced) {
  Add("a");
  EXPECT_FALSE(pool_.Pin("new").ok());
  pool_.AddSpace("a", "new");
  pool_.AddSpace("a", "new");
  EXPECT_TRUE(pool_.Pin("space").ok());
  EXPECT_TRUE(pool_.Pin("new").ok());
  pool_.KeepSpace("a", "new");
  EXPECT_FALSE(pool_.Pin("space").ok());
  EXPECT_TRUE(pool_.Pin("new").ok());
}

}  // namespace
}  // namespace terminus::services::router::dispatch
