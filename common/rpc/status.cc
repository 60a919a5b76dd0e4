#include "common/rpc/status.h"

#include <string>

#include "absl/time/time.h"
#include "common/base/errors.h"
#include "common/base/utf8.h"
#include "google/rpc/error_details.pb.h"

namespace terminus::rpc {
namespace {

absl::StatusCode CodeOf(int wire_code) {
  // A code from the future must not be taken for success.
  const bool known =
      wire_code >= 0 && wire_code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return known ? static_cast<absl::StatusCode>(wire_code) : absl::StatusCode::kUnknown;
}

}  // namespace

void ToProto(const absl::Status& status, google::rpc::Status* proto) {
  proto->set_code(static_cast<int>(status.code()));
  // A message may quote the input, and a client could not parse a protobuf string that is not
  // UTF-8.
  proto->set_message(base::PrintableUtf8(status.message()));
  if (const std::string reason = base::Reason(status); !reason.empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(reason);
    info.set_domain(kErrorDomain);
    proto->add_details()->PackFrom(info);
  }
  if (const std::string field = base::Field(status); !field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(field);
    violation->set_description(proto->message());
    proto->add_details()->PackFrom(bad_request);
  }
  if (const auto delay = base::RetryDelay(status); delay.has_value()) {
    google::rpc::RetryInfo retry;
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(*delay);
    retry.mutable_retry_delay()->set_seconds(nanoseconds / 1'000'000'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(nanoseconds % 1'000'000'000));
    proto->add_details()->PackFrom(retry);
  }
}

absl::Status FromProto(const google::rpc::Status& proto) {
  if (proto.code() == 0) {
    return absl::OkStatus();
  }
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  google::rpc::RetryInfo retry;
  std::string reason;
  std::string field;
  absl::optional<absl::Duration> delay;
  for (const auto& detail : proto.details()) {
    if (detail.UnpackTo(&info)) {
      reason = info.reason();
    } else if (detail.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0) {
      field = bad_request.field_violations(0).field();
    } else if (detail.UnpackTo(&retry)) {
      delay = absl::Seconds(retry.retry_delay().seconds()) +
              absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  absl::Status status(CodeOf(proto.code()), proto.message());
  base::Attach(status, reason, field);
  return delay.has_value() ? base::WithRetryDelay(std::move(status), *delay) : status;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  google::rpc::Status proto;
  ToProto(status, &proto);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), proto.message(),
                      proto.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  google::rpc::Status proto;
  if (status.error_details().empty() || !proto.ParseFromString(status.error_details())) {
    proto.Clear();
  }
  proto.set_code(status.error_code());
  proto.set_message(status.error_message());
  return FromProto(proto);
}

}  // namespace terminus::rpc
