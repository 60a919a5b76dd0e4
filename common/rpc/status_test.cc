#include "common/rpc/status.h"

#include <gtest/gtest.h>

#include "common/base/errors.h"
#include "google/rpc/error_details.pb.h"

namespace terminus::rpc {
namespace {

absl::Status FullError() {
  return base::WithRetryDelay(
      base::FieldError(base::kReasonTextTooLong, "items[1].text", "600 tokens, limit 512"),
      absl::Milliseconds(1500));
}

TEST(Status, DetailsAreThoseOfGoogleRpc) {
  google::rpc::Status proto;
  ToProto(FullError(), &proto);
  EXPECT_EQ(proto.code(), 3);
  ASSERT_EQ(proto.details_size(), 3);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "TEXT_TOO_LONG");
  EXPECT_EQ(info.domain(), "terminus");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(proto.details(1).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "items[1].text");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(proto.details(2).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(Status, SurvivesTheWireBothWays) {
  const absl::Status status = FullError();
  EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok());
}

TEST(Status, CallWithoutDetailsKeepsCodeAndMessage) {
  const absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  EXPECT_EQ(status, absl::UnavailableError("gone"));
}

TEST(Status, UnknownCodeIsNotSuccess) {
  google::rpc::Status proto;
  proto.set_code(99);
  EXPECT_EQ(FromProto(proto).code(), absl::StatusCode::kUnknown);
}

TEST(Status, MessageThatQuotesBytesStaysParseable) {
  google::rpc::Status proto;
  ToProto(absl::InvalidArgumentError("bad \xff byte"), &proto);
  EXPECT_EQ(proto.message(), "bad ? byte");
}

TEST(Status, MessageInAnyLanguageSurvivesTheWire) {
  const absl::Status status = absl::NotFoundError("kein Modell „größer“: 模型");
  EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
}

}  // namespace
}  // namespace terminus::rpc
