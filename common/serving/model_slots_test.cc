#include "common/serving/model_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/base/errors.h"

namespace terminus::serving {
namespace {

using ::testing::HasSubstr;

// Tells when it is freed, and on which thread.
struct Probe {
  explicit Probe(std::promise<std::thread::id>& freed) : freed(freed) {}
  ~Probe() { freed.set_value(std::this_thread::get_id()); }
  std::promise<std::thread::id>& freed;
};

class ModelSlotsTest : public ::testing::Test {
 protected:
  static HostedModel Model(const std::string& space, const std::string& name = "m") {
    return {.name = name, .space_id = space, .model = std::make_shared<int>(0)};
  }
  HostedModel Probed(const std::string& space) {
    return {.name = "m", .space_id = space, .model = std::make_shared<Probe>(freed_)};
  }
  bool IsFreed() { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  std::string SpaceFor(const std::string& space) const {
    const auto found = slots_.Find(space);
    return found.ok() ? (*found)->space_id
                      : std::string(absl::StatusCodeToString(found.status().code()));
  }
  absl::Status Begin(const std::string& id) {
    return slots_.Begin(id, now_ + absl::Minutes(1), now_);
  }
  void StageAndCommit(const std::string& id, HostedModel model) {
    ASSERT_TRUE(Begin(id).ok());
    ASSERT_TRUE(slots_.End(id, std::move(model)).ok());
    ASSERT_TRUE(slots_.Commit(id).ok());
  }

  metrics::Registry registry_{"test"};
  metrics::Gauge& ready_ = registry_.AddGauge("terminus_test_ready", "Of the test");
  std::promise<std::thread::id> freed_;
  std::future<std::thread::id> future_ = freed_.get_future();
  const absl::Time now_ = absl::UnixEpoch();
  ModelSlots slots_{ready_};
};

TEST_F(ModelSlotsTest, NothingBeforeTheStart) {
  EXPECT_EQ(SpaceFor(""), "UNAVAILABLE");
  EXPECT_EQ(Begin("a").code(), absl::StatusCode::kAborted);
  slots_.Start(Model("old"));
  EXPECT_EQ(SpaceFor(""), "old");
  EXPECT_EQ(SpaceFor("old"), "old");
  EXPECT_EQ(base::Reason(slots_.Find("other").status()), base::kReasonModelNotLoaded);
  EXPECT_EQ(ready_.Value(), 1);
}

TEST_F(ModelSlotsTest, EachSpaceIsAnsweredByItsModelUntilTheLoadIsFinished) {
  slots_.Start(Model("old"));
  ASSERT_TRUE(Begin("a").ok());
  ASSERT_TRUE(slots_.End("a", Model("new")).ok());
  EXPECT_EQ(SpaceFor(""), "old");
  EXPECT_EQ(SpaceFor("new"), "NOT_FOUND");
  ASSERT_TRUE(slots_.Commit("a").ok());
  EXPECT_EQ(SpaceFor(""), "new");
  EXPECT_EQ(SpaceFor("new"), "new");
  EXPECT_EQ(SpaceFor("old"), "old");
  EXPECT_TRUE(slots_.Commit("a").ok()) << "again";
  EXPECT_EQ(SpaceFor(""), "new");
  slots_.Finish("a");
  EXPECT_EQ(SpaceFor("old"), "NOT_FOUND");
  EXPECT_EQ(SpaceFor("new"), "new");
}

TEST_F(ModelSlotsTest, WhoHoldsTheOldModelKeepsItAndTheLastFreesItElsewhere) {
  slots_.Start(Probed("old"));
  auto request = *slots_.Find("");
  StageAndCommit("a", Model("new"));
  slots_.Finish("a");
  EXPECT_FALSE(IsFreed());
  EXPECT_EQ(request->space_id, "old");
  request.reset();
  EXPECT_NE(future_.get(), std::this_thread::get_id());
}

TEST_F(ModelSlotsTest, AFailedLoadChangesNothing) {
  slots_.Start(Model("old"));
  ASSERT_TRUE(Begin("a").ok());
  const absl::Status failed = slots_.End("a", absl::InvalidArgumentError("2 tensors differ"));
  EXPECT_EQ(failed, absl::InvalidArgumentError("2 tensors differ"));
  EXPECT_EQ(slots_.Commit("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(SpaceFor(""), "old");
  EXPECT_TRUE(Begin("b").ok()) << "the next may begin";
}

TEST_F(ModelSlotsTest, OneAtATime) {
  slots_.Start(Model("old"));
  ASSERT_TRUE(Begin("a").ok());
  const auto refused = [&](absl::Time now) {
    return base::Reason(slots_.Begin("b", now + absl::Minutes(1), now)) ==
           base::kReasonLoadUnderWay;
  };
  EXPECT_TRUE(refused(now_));
  EXPECT_TRUE(refused(now_ + absl::Hours(1))) << "a load cannot be interrupted";
  ASSERT_TRUE(slots_.End("a", Model("new")).ok());
  EXPECT_TRUE(refused(now_));
  EXPECT_EQ(slots_.Unload("m", now_).code(), absl::StatusCode::kAborted);
  slots_.Finish("b");
  EXPECT_TRUE(refused(now_)) << "who was refused ends nothing";
  // Whoever staged it is gone: after its time another takes the place.
  EXPECT_FALSE(refused(now_ + absl::Minutes(1)));
  EXPECT_EQ(slots_.Commit("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(SpaceFor(""), "old");
}

TEST_F(ModelSlotsTest, GivenUpWhileItLoads) {
  slots_.Start(Model("old"));
  ASSERT_TRUE(Begin("a").ok());
  slots_.Finish("a");
  EXPECT_EQ(Begin("b").code(), absl::StatusCode::kAborted) << "its thread is still at it";
  EXPECT_EQ(slots_.End("a", Probed("new")).code(), absl::StatusCode::kCancelled);
  future_.get();
  EXPECT_TRUE(Begin("b").ok());
}

TEST_F(ModelSlotsTest, UnloadAndLoadAgain) {
  slots_.Start(Model("old", "name"));
  EXPECT_EQ(slots_.Unload("other", now_).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(slots_.Unload("name", now_).ok());
  EXPECT_EQ(SpaceFor(""), "NOT_FOUND");
  EXPECT_EQ(SpaceFor("old"), "NOT_FOUND");
  EXPECT_EQ(slots_.Unload("name", now_).code(), absl::StatusCode::kNotFound);
  StageAndCommit("a", Model("old"));
  EXPECT_EQ(SpaceFor("old"), "old");
}

TEST_F(ModelSlotsTest, StartsWithNothingAndIsGivenAModelLater) {
  EXPECT_EQ(SpaceFor(""), "UNAVAILABLE");
  EXPECT_EQ(ready_.Value(), 0);
  slots_.Start({});
  EXPECT_EQ(SpaceFor(""), "NOT_FOUND");
  EXPECT_EQ(ready_.Value(), 1) << "there is nothing to wait for";
  StageAndCommit("a", Model("new"));
  EXPECT_EQ(SpaceFor("new"), "new");
}

TEST_F(ModelSlotsTest, ABundleWithNothingForTheServiceLeavesItIdle) {
  slots_.Start(Model("old"));
  StageAndCommit("a", {});
  EXPECT_EQ(SpaceFor(""), "NOT_FOUND");
  EXPECT_EQ(SpaceFor("old"), "old");
  slots_.Finish("a");
  EXPECT_EQ(SpaceFor("old"), "NOT_FOUND");
}

TEST_F(ModelSlotsTest, TheSameSpaceIsReplacedInPlace) {
  slots_.Start(Model("space", "one"));
  StageAndCommit("a", Model("space", "two"));
  EXPECT_EQ((*slots_.Find("space"))->name, "two");
}

}  // namespace
}  // namespace terminus::serving
