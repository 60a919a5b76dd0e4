#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/decoder/step_runner.h"

// The limits of a rank, as it tells them to the front.
namespace terminus::services::decoder::grid {

std::string EncodeInfo(const models::decoder::RunnerInfo& info);
// INVALID_ARGUMENT: the bytes end early or late.
absl::StatusOr<models::decoder::RunnerInfo> DecodeInfo(absl::string_view bytes);

}  // namespace terminus::services::decoder::grid
