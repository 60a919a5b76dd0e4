#include "common/rpc/context.h"

#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace terminus::rpc {
namespace {

std::string MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string()
                                 : std::string(found->second.data(), found->second.size());
}

bool IsHex(absl::string_view text, size_t size) {
  if (text.size() != size) {
    return false;
  }
  for (const char c : text) {
    if (!absl::ascii_isdigit(c) && (c < 'a' || c > 'f')) {
      return false;
    }
  }
  return true;
}

bool IsAllZero(absl::string_view text) {
  return text.find_first_not_of('0') == absl::string_view::npos;
}

}  // namespace

RequestContext ContextOf(const grpc::CallbackServerContext& context,
                         absl::Duration default_deadline) {
  RequestContext request;
  request.request_id = MetadataOf(context, "x-request-id");
  if (!IsRequestId(request.request_id)) {
    request.request_id = NewRequestId();
  }
  request.traceparent = MetadataOf(context, "traceparent");
  if (!IsTraceparent(request.traceparent)) {
    request.traceparent.clear();
  }
  // gRPC reports "none" as a time so far off that a sum would overflow.
  const auto deadline = context.deadline();
  const absl::Time now = absl::Now();
  request.deadline = deadline > std::chrono::system_clock::now() + std::chrono::hours(24 * 365)
                         ? now + default_deadline
                         : absl::FromChrono(deadline);
  return request;
}

void Propagate(const RequestContext& request, grpc::ClientContext* context) {
  context->AddMetadata("x-request-id", request.request_id);
  if (!request.traceparent.empty()) {
    context->AddMetadata("traceparent", request.traceparent);
  }
  context->set_deadline(absl::ToChronoTime(request.deadline));
}

bool IsTraceparent(absl::string_view value) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, '-');
  return parts.size() == 4 && parts[0] == "00" && IsHex(parts[1], 32) && !IsAllZero(parts[1]) &&
         IsHex(parts[2], 16) && !IsAllZero(parts[2]) && IsHex(parts[3], 2);
}

bool IsRequestId(absl::string_view value) {
  if (value.empty() || value.size() > 128) {
    return false;
  }
  for (const char c : value) {
    if (!absl::ascii_isgraph(c)) {
      return false;
    }
  }
  return true;
}

std::string NewRequestId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return absl::StrFormat("%016x%016x", random(), random());
}

}  // namespace terminus::rpc
