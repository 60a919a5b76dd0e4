#include "services/router/edge/answer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"

namespace terminus::services::router::edge {
namespace {

std::vector<float> Written(std::vector<float> values, const v1::EmbedOptions& options) {
  v1::EmbedResult result;
  EXPECT_TRUE(WriteVector(absl::MakeSpan(values), options, result).ok());
  return *tensor::ToFloats(result.vector());
}

TEST(AnswerTest, NormalisesUnlessTold) {
  EXPECT_EQ(Written({3, 4}, {}), (std::vector<float>{0.6f, 0.8f}));
  v1::EmbedOptions raw;
  raw.set_no_normalize(true);
  EXPECT_EQ(Written({3, 4}, raw), (std::vector<float>{3, 4}));
}

TEST(AnswerTest, CutsBeforeItNormalises) {
  v1::EmbedOptions options;
  options.set_dimension(2);
  EXPECT_EQ(Written({3, 4, 100}, options), (std::vector<float>{0.6f, 0.8f}));
}

TEST(AnswerTest, ConvertsLast) {
  v1::EmbedOptions options;
  options.set_dtype(v1::DATA_TYPE_INT8);
  EXPECT_EQ(Written({3, -4, 0}, options), (std::vector<float>{95, -127, 0}));
  options.set_dtype(v1::DATA_TYPE_BIT);
  EXPECT_EQ(Written({3, -4, 1}, options), (std::vector<float>{1, -1, 1}));
}

TEST(AnswerTest, ValuesThatAreNotFinite) {
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = {1, bad};
    v1::EmbedResult result;
    EXPECT_EQ(WriteVector(absl::MakeSpan(values), {}, result).code(), absl::StatusCode::kInternal);
  }
}

TEST(AnswerTest, ErrorKeepsOnlyTheHash) {
  v1::EmbedResult result;
  result.set_content_hash("abc");
  result.mutable_cost()->set_tokens(3);
  WriteError(absl::InternalError("x"), result);
  EXPECT_EQ(result.content_hash(), "abc");
  EXPECT_FALSE(result.has_cost());
  EXPECT_EQ(result.status().message(), "x");
}

v1::EmbedResponse Response(const std::vector<absl::Status>& statuses) {
  v1::EmbedResponse response;
  for (const absl::Status& status : statuses) {
    rpc::ToProto(status, response.add_results()->mutable_status());
  }
  return response;
}

TEST(CallStatusTest, ClusterFaultOfAllItemsIsTheCalls) {
  const absl::Status lost = base::WithRetryDelay(
      base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost, "lost"),
      absl::Seconds(1));
  const absl::Status status = CallStatus(Response({lost, lost}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::Reason(status), base::kReasonReplicaLost);
  EXPECT_EQ(base::RetryDelay(status), absl::Seconds(1));
}

TEST(CallStatusTest, OtherwiseTheCallIsOk) {
  const absl::Status lost = absl::UnavailableError("lost");
  const absl::Status bad = absl::InvalidArgumentError("bad");
  EXPECT_TRUE(CallStatus(Response({lost, absl::OkStatus()})).ok());
  EXPECT_TRUE(CallStatus(Response({lost, bad})).ok());
  EXPECT_TRUE(CallStatus(Response({bad})).ok());
  EXPECT_TRUE(CallStatus(Response({absl::OkStatus()})).ok());
}

}  // namespace
}  // namespace terminus::services::router::edge
