#include "tools/cli/bulk.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/fake_cluster.h"

namespace terminus::tools::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::EmbedResult Failure(grpc::StatusCode code) {
  v1::EmbedResult result;
  result.mutable_status()->set_code(code);
  result.mutable_status()->set_message("failed");
  return result;
}

class BulkTest : public testing::Test {
 protected:
  BulkTest() { options_.retry_delay = absl::ZeroDuration(); }

  absl::StatusOr<BulkResult> Run(size_t count) {
    auto stub = v1::Embedding::NewStub(cluster_.channel());
    return EmbedBulk(
        *stub, count,
        [this](size_t i) -> absl::StatusOr<v1::Content> {
          if (i == unreadable_) {
            return absl::NotFoundError("no such file");
          }
          v1::Content content;
          content.set_text(std::string(i + 1, 'a'));
          return content;
        },
        options_, [this](size_t done) { progress_.push_back(done); });
  }

  static void ExpectVector(const BulkItem& item, size_t i) {
    ASSERT_TRUE(item.status.ok()) << i << ": " << item.status;
    const float length = static_cast<float>(i + 1);
    EXPECT_THAT(item.vector, ElementsAre(length, length));
  }

  FakeCluster cluster_;
  BulkOptions options_;
  size_t unreadable_ = SIZE_MAX;
  std::vector<size_t> progress_;
};

TEST_F(BulkTest, MatchesAnswersThatComeOutOfOrder) {
  cluster_.reorder = 7;
  auto result = Run(100);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->items.size(), 100u);
  for (size_t i = 0; i < 100; ++i) {
    ExpectVector(result->items[i], i);
  }
  EXPECT_EQ(result->space_id, cluster_.space_id);
  ASSERT_FALSE(progress_.empty());
  EXPECT_EQ(progress_.back(), 100u);
  EXPECT_TRUE(std::is_sorted(progress_.begin(), progress_.end()));
}

TEST_F(BulkTest, NothingToDo) {
  auto result = Run(0);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->items.empty());
}

TEST_F(BulkTest, FailedItemsFailAlone) {
  unreadable_ = 3;
  cluster_.answer = [](const v1::Content& content, int64_t) {
    return content.text().size() == 6 ? Failure(grpc::StatusCode::INVALID_ARGUMENT)
                                      : FakeCluster::Vector(content);
  };
  auto result = Run(10);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->items[3].status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(result->items[5].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cluster_.embedded(), 9);
  ExpectVector(result->items[4], 4);
}

TEST_F(BulkTest, RetriesWhatMayWorkLater) {
  cluster_.answer = [](const v1::Content& content, int64_t nth) {
    return nth < 4 ? Failure(grpc::StatusCode::UNAVAILABLE) : FakeCluster::Vector(content);
  };
  auto result = Run(10);
  ASSERT_TRUE(result.ok()) << result.status();
  for (size_t i = 0; i < 10; ++i) {
    ExpectVector(result->items[i], i);
  }
  EXPECT_EQ(cluster_.embedded(), 14);
}

TEST_F(BulkTest, GivesUpAfterTheLastRound) {
  cluster_.answer = [](const v1::Content&, int64_t) {
    return Failure(grpc::StatusCode::RESOURCE_EXHAUSTED);
  };
  options_.max_rounds = 3;
  auto result = Run(2);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->items[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(cluster_.embedded(), 6);
}

TEST_F(BulkTest, GoesOnAfterABrokenStream) {
  cluster_.break_stream_after = 4;
  options_.max_rounds = 3;
  auto result = Run(10);
  ASSERT_TRUE(result.ok()) << result.status();
  for (size_t i = 0; i < 10; ++i) {
    ExpectVector(result->items[i], i);
  }
}

TEST_F(BulkTest, BrokenStreamWithoutAnyAnswerIsAnError) {
  cluster_.break_stream_after = 0;
  auto result = Run(10);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("goes down"));
}

TEST_F(BulkTest, SilentServerIsGivenUp) {
  cluster_.silent = true;
  options_.max_items_in_flight = 5;  // So that the stream stays open for the rest.
  options_.stall_timeout = absl::Milliseconds(50);
  auto result = Run(10);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BulkTest, SendsNoMoreAheadThanAllowed) {
  // Answers come only in groups of four: with four in flight all goes well.
  cluster_.reorder = 4;
  options_.max_items_in_flight = 4;
  ASSERT_TRUE(Run(16).ok());
  // With three the server waits for a fourth item that is never sent.
  options_.max_items_in_flight = 3;
  options_.stall_timeout = absl::Milliseconds(50);
  EXPECT_EQ(Run(16).status().code(), absl::StatusCode::kDeadlineExceeded);
  // The same by bytes: one item always goes.
  options_.max_items_in_flight = 100;
  options_.max_bytes_in_flight = 1;
  EXPECT_EQ(Run(16).status().code(), absl::StatusCode::kDeadlineExceeded);
  cluster_.reorder = 1;
  options_.stall_timeout = absl::Seconds(60);
  EXPECT_TRUE(Run(16).ok());
}

}  // namespace
}  // namespace terminus::tools::cli
