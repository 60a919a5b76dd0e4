#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/decoder/pipeline/stage.h"

// Results and masks of steps as bytes, little-endian.
namespace terminus::services::decoder::grid {

std::string EncodeResult(const pipeline::StepResult& result);
// INVALID_ARGUMENT: the bytes end early or late.
absl::StatusOr<pipeline::StepResult> DecodeResult(absl::string_view bytes);

std::string EncodeMasks(uint64_t step, const pipeline::StepMasks& masks);
absl::StatusOr<std::pair<uint64_t, pipeline::StepMasks>> DecodeMasks(absl::string_view bytes);

// The code, the reason and the message of a status that is not OK.
std::string EncodeStatus(const absl::Status& status);
// Returns the status that was encoded; INTERNAL where the bytes are none.
absl::Status DecodeStatus(absl::string_view bytes);

}  // namespace terminus::services::decoder::grid
