#include "services/router/edge/answer.h"

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"

namespace terminus::services::router::edge {
namespace {

bool IsOfTheCluster(int code) {
  switch (static_cast<absl::StatusCode>(code)) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::Status WriteVector(absl::Span<float> values, const v1::EmbedOptions& options,
                         v1::EmbedResult& result) {
  if (options.dimension() > 0) {
    values = values.first(options.dimension());
  }
  for (const float value : values) {
    if (!std::isfinite(value)) {
      return base::MakeError(absl::StatusCode::kInternal, base::kReasonInternal,
                             "the encoder's vector holds values that are not finite");
    }
  }
  if (!options.no_normalize()) {
    tensor::Normalize(values);
  }
  TERMINUS_ASSIGN_OR_RETURN(*result.mutable_vector(), tensor::Quantize(values, options.dtype()));
  return absl::OkStatus();
}

absl::Status WriteEncoded(const v1::EncodeResult& encoded, const v1::EmbedOptions& options,
                          v1::EmbedResult& result) {
  TERMINUS_ASSIGN_OR_RETURN(std::vector<float> values, tensor::ToFloats(encoded.vector()));
  TERMINUS_RETURN_IF_ERROR(WriteVector(absl::MakeSpan(values), options, result));
  *result.mutable_cost() = encoded.cost();
  result.set_truncated(encoded.truncated());
  result.mutable_status();
  return absl::OkStatus();
}

void WriteError(const absl::Status& status, v1::EmbedResult& result) {
  std::string hash = std::move(*result.mutable_content_hash());
  result.Clear();
  result.set_content_hash(std::move(hash));
  rpc::ToProto(status, result.mutable_status());
}

absl::Status CallStatus(const v1::EmbedResponse& response) {
  if (response.results().empty()) {
    return absl::OkStatus();
  }
  const int code = response.results(0).status().code();
  if (!IsOfTheCluster(code)) {
    return absl::OkStatus();
  }
  for (const v1::EmbedResult& result : response.results()) {
    if (result.status().code() != code) {
      return absl::OkStatus();
    }
  }
  return rpc::FromProto(response.results(0).status());
}

}  // namespace terminus::services::router::edge
