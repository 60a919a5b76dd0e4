#include "common/executor/executor.h"

#include <ATen/ATen.h>

#include <future>
#include <new>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::executor {
namespace {

using Result = std::pair<absl::StatusOr<Embeddings>, absl::Duration>;

// Answers each text by its length; negative first ids ask for trouble.
class FakeEncoder : public Encoder<TextBatch> {
 public:
  absl::StatusOr<Embeddings> Encode(const TextBatch& batch) override {
    ++calls;
    if (gate.valid()) {
      gate.wait();
    }
    Embeddings out{.count = static_cast<int>(batch.token_ids.size()), .dimension = 1};
    for (const auto& ids : batch.token_ids) {
      switch (ids.at(0)) {
        case -1:
          throw std::bad_alloc();
        case -2:
          TORCH_CHECK(false, "shapes differ");
        case -3:
          TORCH_CHECK_WITH(OutOfMemoryError, false, "device is full");
        case -4:
          at::empty({int64_t{1} << 60});
          break;
        case -5:
          return absl::InvalidArgumentError("bad id");
        default:
          out.values.push_back(static_cast<float>(ids.size()));
      }
    }
    return out;
  }
  int dimension() const override { return 1; }

  std::shared_future<void> gate;
  std::atomic<int> calls{0};
};

struct Fixture {
  explicit Fixture(int max_in_flight, std::shared_future<void> gate = {}) {
    auto owned = std::make_unique<FakeEncoder>();
    encoder = owned.get();
    encoder->gate = std::move(gate);
    executor = std::make_unique<Executor<TextBatch>>("test", std::move(owned), max_in_flight);
  }

  std::future<Result> Submit(std::vector<std::vector<int32_t>> ids,
                             std::function<bool()> abandoned = nullptr) {
    auto promise = std::make_shared<std::promise<Result>>();
    const bool accepted = executor->TrySubmit(
        {.batch = {std::move(ids)},
         .abandoned = std::move(abandoned),
         .done = [promise](absl::StatusOr<Embeddings> result, absl::Duration compute) {
           promise->set_value({std::move(result), compute});
         }});
    if (!accepted) {
      promise->set_value({absl::ResourceExhaustedError("refused"), absl::ZeroDuration()});
    }
    return promise->get_future();
  }

  FakeEncoder* encoder;
  std::unique_ptr<Executor<TextBatch>> executor;
};

TEST(ExecutorTest, AnswersInOrderWithComputeTime) {
  Fixture fixture(2);
  Result result = fixture.Submit({{1, 2}, {1, 2, 3}}).get();
  ASSERT_TRUE(result.first.ok()) << result.first.status();
  EXPECT_THAT(result.first->values, testing::ElementsAre(2, 3));
  EXPECT_GE(result.second, absl::ZeroDuration());
}

TEST(ExecutorTest, RefusesPastMaxInFlight) {
  std::promise<void> open;
  Fixture fixture(2, open.get_future().share());
  auto first = fixture.Submit({{1}});
  auto second = fixture.Submit({{1}});
  EXPECT_EQ(fixture.executor->in_flight(), 2);
  EXPECT_EQ(fixture.Submit({{1}}).get().first.status().code(),
            absl::StatusCode::kResourceExhausted);
  open.set_value();
  EXPECT_TRUE(first.get().first.ok());
  EXPECT_TRUE(second.get().first.ok());
  EXPECT_TRUE(fixture.Submit({{1}}).get().first.ok());
}

TEST(ExecutorTest, PlaceIsFreeWhenDoneIsCalled) {
  Fixture fixture(1);
  std::promise<bool> accepted;
  fixture.executor->TrySubmit({.batch = {{{1}}}, .done = [&](auto, auto) {
                                 accepted.set_value(fixture.executor->TrySubmit(
                                     {.batch = {{{1}}}, .done = [](auto, auto) {}}));
                               }});
  EXPECT_TRUE(accepted.get_future().get());
}

TEST(ExecutorTest, AbandonedTaskIsNotExecuted) {
  Fixture fixture(1);
  Result result = fixture.Submit({{1}}, [] { return true; }).get();
  EXPECT_EQ(result.first.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(result.second, absl::ZeroDuration());
  EXPECT_EQ(fixture.encoder->calls, 0);
}

TEST(ExecutorTest, ExceptionsBecomeStatuses) {
  Fixture fixture(1);
  auto code = [&](int32_t id) { return fixture.Submit({{id}}).get().first.status(); };
  EXPECT_EQ(code(-1).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(-2).code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(code(-2).message()), testing::HasSubstr("shapes differ"));
  EXPECT_EQ(code(-3).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(-4).code(), absl::StatusCode::kResourceExhausted) << code(-4);
  EXPECT_EQ(code(-5).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(code(1).ok());
}

TEST(ExecutorTest, DestructionRunsWhatWasAccepted) {
  std::promise<void> open;
  Fixture fixture(3, open.get_future().share());
  std::vector<std::future<Result>> results;
  for (int i = 0; i < 3; ++i) {
    results.push_back(fixture.Submit({{1}}));
  }
  open.set_value();
  fixture.executor.reset();
  for (auto& result : results) {
    EXPECT_TRUE(result.get().first.ok());
  }
}

}  // namespace
}  // namespace terminus::executor
