#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/router/discovery/model_switch.h"
#include "terminus/v1/model_host.pb.h"

// What replicas answered to a change, put together. Pure functions.
namespace terminus::services::router::loading {

using StageAnswers = std::vector<absl::StatusOr<v1::StageModelResponse>>;

// Bytes of a status' message: it travels twice in a call's trailers, for which gRPC has 8 KiB.
inline constexpr size_t kMaxMessageBytes = 3000;

// Moves what the answers say inside to where a call's own status is.
void TakeStatuses(StageAnswers& answers);

// OK when all staged. Else the code and reason of the first that did not, and what each of them
// said, once; `stays` says what is in service. May be longer than a status can be.
absl::Status StageStatus(absl::Span<const discovery::Host> hosts, const StageAnswers& answers,
                         absl::string_view stays);

// Cut to kMaxMessageBytes at a line's end, saying how many lines are left out and where they are.
absl::Status Shorten(const absl::Status& status);

// What the cluster will serve, by what all replicas staged: INVALID_ARGUMENT, NOT_IN_BUNDLE, when
// no encoder has anything to serve and no decoder a language model, FAILED_PRECONDITION when they
// differ in space or dimension, as when the path leads to different folders on different machines.
absl::StatusOr<dispatch::ServedModel> Combine(absl::Span<const discovery::Host> hosts,
                                              const StageAnswers& answers);

}  // namespace terminus::services::router::loading
