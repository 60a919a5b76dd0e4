#include "common/base/errors.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace terminus::base {
namespace {

constexpr char kReasonUrl[] = "terminus/reason";
constexpr char kFieldUrl[] = "terminus/field";
constexpr char kRetryUrl[] = "terminus/retry_ns";

std::string Payload(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  return status;
}

absl::Status FieldError(absl::string_view reason, absl::string_view field,
                        absl::string_view message) {
  absl::Status status =
      MakeError(absl::StatusCode::kInvalidArgument, reason,
                field.empty() ? std::string(message) : absl::StrCat(field, ": ", message));
  if (!field.empty()) {
    status.SetPayload(kFieldUrl, absl::Cord(field));
  }
  return status;
}

void Attach(absl::Status& status, absl::string_view reason, absl::string_view field) {
  if (!reason.empty()) {
    status.SetPayload(kReasonUrl, absl::Cord(reason));
  }
  if (!field.empty()) {
    status.SetPayload(kFieldUrl, absl::Cord(field));
  }
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryUrl, absl::Cord(absl::StrCat(absl::ToInt64Nanoseconds(delay))));
  return status;
}

std::string Reason(const absl::Status& status) { return Payload(status, kReasonUrl); }

std::string Field(const absl::Status& status) { return Payload(status, kFieldUrl); }

absl::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  int64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(Payload(status, kRetryUrl), &nanoseconds)) {
    return absl::nullopt;
  }
  return absl::Nanoseconds(nanoseconds);
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) {
    return status;
  }
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace terminus::base
