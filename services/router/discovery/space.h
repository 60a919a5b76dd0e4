#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "services/router/dispatch/encode_task.h"
#include "terminus/v1/encoder.pb.h"

namespace terminus::services::router::discovery {

// The version of the internal protocol that this router speaks.
inline constexpr uint32_t kEncoderProtocol = 1;

// It serves a model: it is not idle.
inline bool HasModel(const v1::DescribeResponse& description) {
  return !description.space_id().empty();
}

// Whether a replica is of the right kind, whatever the space, or has no model at all. `expected` is
// unspecified for a decoder.
// FAILED_PRECONDITION says what it is and what was expected.
absl::Status CheckKind(const v1::DescribeResponse& description, v1::Modality expected);

// Whether it is of the served space.
absl::Status CheckSpace(const v1::DescribeResponse& description,
                        const dispatch::ServedModel& served);

// What a replica's description says about the served model; `known` is what others said before. A
// replica that takes text knows most: its name, longest text and prompts count.
dispatch::ServedModel Merge(const v1::DescribeResponse& description,
                            const dispatch::ServedModel& known);

}  // namespace terminus::services::router::discovery
