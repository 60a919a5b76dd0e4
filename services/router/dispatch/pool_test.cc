#include "services/router/dispatch/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "common/base/errors.h"
#include "common/rpc/status.h"

namespace terminus::services::router::dispatch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kDimension = 4;

// Keeps the calls until the test answers them.
class FakeReplica : public BatchSender {
 public:
  struct Pending {
    BatchCall* call;
    std::function<void(grpc::Status)> done;
    bool cancelled = false;
  };

  void Send(BatchCall& call, std::function<void(grpc::Status)> done) override {
    pending.push_back({&call, std::move(done)});
  }

  void Cancel(BatchCall& call) override {
    for (Pending& p : pending) p.cancelled |= p.call == &call;
  }

  std::vector<std::string> Texts(size_t i) const {
    std::vector<std::string> texts;
    for (const auto& item : pending[i].call->request.items()) {
      texts.push_back(item.content().text());
    }
    return texts;
  }

  void Answer(int results_off_by = 0, int dimension = kDimension) {
    BatchCall& call = *pending.front().call;
    call.response.set_compute_us(700);
    call.response.set_preprocess_us(300);
    call.response.set_space_id(space.empty() ? call.request.space_id() : space);
    for (int i = 0; i < call.request.items_size() + results_off_by; ++i) {
      v1::Tensor* vector = call.response.add_results()->mutable_vector();
      vector->set_dtype(v1::DATA_TYPE_FLOAT32);
      vector->add_shape(dimension);
      vector->set_data(std::string(dimension * sizeof(float), '\0'));
    }
    End(grpc::Status::OK);
  }

  void End(const grpc::Status& status) {
    const auto done = std::move(pending.front().done);
    pending.pop_front();
    done(status);
  }

  std::deque<Pending> pending;
  // That it answers from; empty: the one that is asked for.
  std::string space;
};

class FakeOwner : public EncodeOwner {
 public:
  explicit FakeOwner(const std::string& id = "request") { request_.request_id = id; }

  void OnEncoded(uint64_t slot, EncodeOutcome outcome) override {
    EXPECT_TRUE(outcomes.emplace(slot, std::move(outcome)).second) << slot << " ended twice";
  }
  const rpc::RequestContext& request() const override { return request_; }

  absl::StatusCode code(uint64_t slot) const { return outcomes.at(slot).status.code(); }
  std::string reason(uint64_t slot) const { return base::Reason(outcomes.at(slot).status); }

  std::map<uint64_t, EncodeOutcome> outcomes;

 private:
  rpc::RequestContext request_;
};

class PoolTest : public ::testing::Test {
 protected:
  PoolTest() {
    auto model = std::make_shared<ServedModel>();
    model->space_id = "space";
    model->dimension = kDimension;
    model_ = std::move(model);
  }

  std::shared_ptr<FakeReplica> Add(const std::string& address, int max_in_flight = 1) {
    auto replica = std::make_shared<FakeReplica>();
    pool_.AddReplica({.address = address,
                      .sender = replica,
                      .max_in_flight = max_in_flight,
                      .on_lost = [this, address] { lost_.push_back(address); }});
    return replica;
  }

  std::unique_ptr<EncodeTask> Task(uint64_t slot, absl::Duration left = absl::Seconds(60)) {
    auto task = std::make_unique<EncodeTask>();
    task->owner = &owner_;
    task->slot = slot;
    task->deadline = clock_.Now() + left;
    task->cancel = cancel_;
    task->model = model_;
    task->item = std::make_unique<v1::EncodeItem>();
    task->item->mutable_content()->set_text(std::to_string(slot));
    return task;
  }

  void Submit(uint64_t slot, absl::Duration left = absl::Seconds(60)) {
    std::vector<std::unique_ptr<EncodeTask>> tasks;
    tasks.push_back(Task(slot, left));
    pool_.Submit(std::move(tasks));
  }

  base::FakeClock clock_;
  metrics::Registry registry_{"test"};
  FakeOwner owner_;
  std::shared_ptr<batching::CancelFlag> cancel_ = std::make_shared<batching::CancelFlag>();
  std::shared_ptr<const ServedModel> model_;
  std::vector<std::string> lost_;
  Pool pool_{{.service = "text",
              .queue = {.limits = {.max_items = 4}},
              .grace = absl::Seconds(2),
              .busy_pause = absl::Milliseconds(5)},
             PoolMetrics(registry_, "text"),
             &clock_};
};

TEST_F(PoolTest, IdleReplicaGetsAnItemAtOnce) {
  auto replica = Add("a");
  Submit(1);
  ASSERT_EQ(replica->pending.size(), 1u);
  EXPECT_EQ(replica->pending[0].call->request.space_id(), "space");
  EXPECT_EQ(replica->pending[0].call->request.items(0).timeout_us(), 60'000'000u);
  replica->Answer();
  EXPECT_EQ(owner_.code(1), absl::StatusCode::kOk);
  EXPECT_EQ(owner_.outcomes[1].compute, absl::Microseconds(700));
  EXPECT_EQ(owner_.outcomes[1].preprocess, absl::Microseconds(300));
}

TEST_F(PoolTest, WhatComesWhileBusyBecomesOneBatch) {
  auto replica = Add("a");
  for (uint64_t i = 0; i < 5; ++i) Submit(i);
  ASSERT_EQ(replica->pending.size(), 1u);
  EXPECT_EQ(pool_.load("a")->outstanding_batches, 1);
  clock_.Advance(absl::Milliseconds(3));
  replica->Answer();
  ASSERT_EQ(replica->pending.size(), 1u);
  EXPECT_THAT(replica->Texts(0), ElementsAre("1", "2", "3", "4"));
  replica->Answer();
  EXPECT_EQ(owner_.outcomes.size(), 5u);
  EXPECT_EQ(owner_.outcomes[4].queue, absl::Milliseconds(3));
  EXPECT_EQ(pool_.load("a")->outstanding_batches, 0);
}

TEST_F(PoolTest, MaxInFlightBatchesEach) {
  auto replica = Add("a", 2);
  for (uint64_t i = 0; i < 3; ++i) Submit(i);
  EXPECT_EQ(replica->pending.size(), 2u);
  replica->Answer();
  EXPECT_EQ(replica->pending.size(), 2u);
  replica->Answer();
  replica->Answer();
}

TEST_F(PoolTest, ABusyReplicasNextBatchWaitsForMore) {
  auto replica = Add("a", 2);
  Submit(0);
  clock_.Advance(absl::Milliseconds(100));
  replica->Answer();
  Submit(1);
  Submit(2);
  Submit(3);
  EXPECT_EQ(replica->pending.size(), 1u);
  EXPECT_EQ(pool_.Tick(), clock_.Now() + absl::Milliseconds(25));
  clock_.Advance(absl::Milliseconds(25));
  pool_.Tick();
  ASSERT_EQ(replica->pending.size(), 2u);
  EXPECT_THAT(replica->Texts(1), ElementsAre("2", "3"));
  replica->Answer();
  // Full, and sent at once.
  for (uint64_t i = 4; i < 8; ++i) Submit(i);
  ASSERT_EQ(replica->pending.size(), 2u);
  EXPECT_THAT(replica->Texts(1), ElementsAre("4", "5", "6", "7"));
  replica->Answer();
  replica->Answer();
}

TEST_F(PoolTest, LeastOutstandingReplica) {
  auto a = Add("a", 2);
  auto b = Add("b", 2);
  Submit(0);
  Submit(1);
  EXPECT_EQ(a->pending.size(), 1u);
  EXPECT_EQ(b->pending.size(), 1u);
  b->Answer();
  Submit(2);
  EXPECT_EQ(b->pending.size(), 1u);
  a->Answer();
  b->Answer();
}

TEST_F(PoolTest, LostReplicasItemsGoElsewhereOnce) {
  auto a = Add("a");
  Submit(0);
  auto b = Add("b");
  a->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  EXPECT_THAT(lost_, ElementsAre("a"));
  ASSERT_EQ(b->pending.size(), 1u);
  EXPECT_THAT(b->Texts(0), ElementsAre("0"));
  EXPECT_THAT(owner_.outcomes, IsEmpty());
  b->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kUnavailable);
  EXPECT_EQ(owner_.reason(0), base::kReasonReplicaLost);
  EXPECT_NE(base::RetryDelay(owner_.outcomes[0].status), absl::nullopt);
}

TEST_F(PoolTest, TwoBatchesOfALostReplicaReportItOnce) {
  auto a = Add("a", 2);
  Submit(0);
  Submit(1);
  a->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  a->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  EXPECT_THAT(lost_, ElementsAre("a"));
  EXPECT_EQ(pool_.load("a"), std::nullopt);
}

TEST_F(PoolTest, ItemsWaitForAReplicaThatComesBackWithinTheGrace) {
  auto a = Add("a");
  Submit(0);
  a->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  clock_.Advance(absl::Milliseconds(1999));
  EXPECT_EQ(pool_.Tick(), clock_.Now() + absl::Milliseconds(1));
  EXPECT_THAT(owner_.outcomes, IsEmpty());
  auto again = Add("a");
  ASSERT_EQ(again->pending.size(), 1u);
  again->Answer();
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kOk);
}

TEST_F(PoolTest, PastTheGraceItemsEndAtOnce) {
  Submit(0);
  EXPECT_EQ(pool_.Tick(), clock_.Now() + absl::Seconds(2));
  clock_.Advance(absl::Seconds(2));
  pool_.Tick();
  EXPECT_EQ(owner_.reason(0), base::kReasonNoReplica);
  Submit(1);
  EXPECT_EQ(owner_.code(1), absl::StatusCode::kUnavailable);
  EXPECT_NE(base::RetryDelay(owner_.outcomes[1].status), absl::nullopt);
}

TEST_F(PoolTest, NothingWaitsPastItsDeadline) {
  auto replica = Add("a");
  Submit(0);
  Submit(1, absl::Milliseconds(50));
  const absl::Time wake = pool_.Tick();
  EXPECT_EQ(wake, clock_.Now() + absl::Milliseconds(49));
  clock_.Advance(absl::Milliseconds(49));
  pool_.Tick();
  EXPECT_EQ(owner_.code(1), absl::StatusCode::kDeadlineExceeded);
  replica->Answer();
  EXPECT_THAT(replica->pending, IsEmpty());
  EXPECT_EQ(pool_.stats().expired, 1u);
}

TEST_F(PoolTest, CancelledItemsLeaveTheQueueAndTheirBatchIsCancelled) {
  auto replica = Add("a");
  Submit(0);
  Submit(1);
  cancel_->Raise();
  pool_.SweepCancelled();
  EXPECT_EQ(owner_.code(1), absl::StatusCode::kCancelled);
  ASSERT_TRUE(replica->pending[0].cancelled);
  replica->End(grpc::Status(grpc::StatusCode::CANCELLED, ""));
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kCancelled);
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(PoolTest, BatchThatSomebodyStillWaitsForIsNotCancelled) {
  auto replica = Add("a");
  Submit(0);
  std::vector<std::unique_ptr<EncodeTask>> tasks;
  tasks.push_back(Task(1));
  tasks.push_back(Task(2));
  tasks[1]->cancel = nullptr;
  pool_.Submit(std::move(tasks));
  replica->Answer();
  cancel_->Raise();
  pool_.SweepCancelled();
  EXPECT_FALSE(replica->pending[0].cancelled);
  replica->Answer();
  EXPECT_EQ(owner_.code(2), absl::StatusCode::kOk);
}

TEST_F(PoolTest, WrongNumberOfResults) {
  auto replica = Add("a");
  for (int off : {-1, 1}) {
    const uint64_t slot = 10 + off;
    Submit(slot);
    replica->Answer(off);
    EXPECT_EQ(owner_.code(slot), absl::StatusCode::kInternal);
  }
}

TEST_F(PoolTest, VectorOfTheWrongDimension) {
  auto replica = Add("a");
  Submit(0);
  replica->Answer(0, kDimension + 1);
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kInternal);
}

TEST_F(PoolTest, AnswerFromAnotherSpace) {
  auto replica = Add("a");
  replica->space = "other";
  Submit(0);
  replica->Answer();
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kInternal);
}

TEST_F(PoolTest, ABatchIsOfOneSpace) {
  auto replica = Add("a");
  Submit(0);
  const auto old = model_;
  const auto other = [&] {
    auto model = std::make_shared<ServedModel>(*old);
    model->space_id = "other";
    return model;
  }();
  for (const uint64_t slot : {1, 2, 3, 4}) {
    model_ = slot % 2 == 1 ? old : std::shared_ptr<const ServedModel>(other);
    Submit(slot);
  }
  std::vector<std::string> spaces;
  std::vector<std::vector<std::string>> batches;
  while (!replica->pending.empty()) {
    spaces.push_back(replica->pending.front().call->request.space_id());
    batches.push_back(replica->Texts(0));
    replica->Answer();
  }
  EXPECT_THAT(spaces, ElementsAre("space", "space", "other"));
  EXPECT_THAT(batches, ElementsAre(ElementsAre("0"), ElementsAre("1", "3"), ElementsAre("2", "4")));
  for (const uint64_t slot : {0, 1, 2, 3, 4}) {
    EXPECT_EQ(owner_.code(slot), absl::StatusCode::kOk) << slot;
  }
}

TEST_F(PoolTest, AReplicaWhoseModelWasReplacedIsDescribedAnew) {
  auto first = Add("a");
  auto second = Add("b");
  Submit(0);
  first->End(rpc::ToGrpc(
      base::MakeError(absl::StatusCode::kNotFound, base::kReasonModelNotLoaded, "another space")));
  EXPECT_THAT(lost_, ElementsAre("a"));
  ASSERT_EQ(second->pending.size(), 1u);
  second->Answer();
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kOk);
}

TEST_F(PoolTest, BusyReplicaIsAskedAgainAfterAPause) {
  auto replica = Add("a");
  Submit(0);
  replica->End(rpc::ToGrpc(base::MakeError(absl::StatusCode::kResourceExhausted,
                                           base::kReasonOverloaded, "still at work")));
  EXPECT_THAT(replica->pending, IsEmpty());
  EXPECT_EQ(pool_.Tick(), clock_.Now() + absl::Milliseconds(5));
  clock_.Advance(absl::Milliseconds(5));
  pool_.Tick();
  ASSERT_EQ(replica->pending.size(), 1u);
  replica->Answer();
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kOk);
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(PoolTest, OtherFailuresEndTheItems) {
  auto replica = Add("a");
  Submit(0);
  replica->End(grpc::Status(grpc::StatusCode::INTERNAL, "out of memory"));
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(owner_.outcomes[0].status.message()),
              ::testing::HasSubstr("out of memory"));
  EXPECT_NE(pool_.load("a"), std::nullopt);
}

TEST_F(PoolTest, RemovedReplicaMayStillAnswer) {
  auto replica = Add("a");
  Submit(0);
  pool_.RemoveReplica("a");
  Submit(1);
  EXPECT_EQ(replica->pending.size(), 1u);
  replica->Answer();
  EXPECT_EQ(owner_.code(0), absl::StatusCode::kOk);
  EXPECT_FALSE(owner_.outcomes.contains(1));
}

TEST(PoolEndTest, WhatWaitsEndsWithThePool) {
  FakeOwner owner;
  metrics::Registry registry("test");
  {
    base::FakeClock clock;
    Pool pool({.service = "text"}, PoolMetrics(registry, "text"), &clock);
    std::vector<std::unique_ptr<EncodeTask>> tasks;
    tasks.push_back(std::make_unique<EncodeTask>());
    tasks[0]->owner = &owner;
    pool.Submit(std::move(tasks));
  }
  EXPECT_EQ(owner.code(0), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace terminus::services::router::dispatch
