#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "terminus/v1/embedding.pb.h"
#include "terminus/v1/encoder.pb.h"

// Results in the form that the caller asked for.
namespace terminus::services::router::edge {

// Cuts to `options.dimension`, normalises unless told not to, converts, and writes the vector.
// INTERNAL when the values are not finite. The options have been checked.
absl::Status WriteVector(absl::Span<float> values, const v1::EmbedOptions& options,
                         v1::EmbedResult& result);

// An encoder's answer, whose vector is float32, as the client's.
absl::Status WriteEncoded(const v1::EncodeResult& encoded, const v1::EmbedOptions& options,
                          v1::EmbedResult& result);

// Only the status; the hash stays.
void WriteError(const absl::Status& status, v1::EmbedResult& result);

// A call none of whose items was answered, for one and the same reason that lies in the cluster
// and not in them: then the call's status says it, so that clients' retry policies see it.
// OK when the results should be returned.
absl::Status CallStatus(const v1::EmbedResponse& response);

}  // namespace terminus::services::router::edge
