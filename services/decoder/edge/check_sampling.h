#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "terminus/v1/generation.pb.h"

namespace terminus::services::decoder::edge {

inline constexpr int kMaxStops = 16;
inline constexpr size_t kMaxStopBytes = 256;
inline constexpr int kMaxStopTokens = 64;
inline constexpr float kMaxTemperature = 10;
inline constexpr float kMaxRepetitionPenalty = 10;
// Of frequency_penalty and presence_penalty, either sign.
inline constexpr float kMaxPenalty = 2;
inline constexpr float kMaxLogitBias = 100;

// Checks the fields of a request's sampling, each on its own and those that exclude each other. The
// model gives ids below `vocab_size`. INVALID_ARGUMENT names the field as a path inside
// GenerateRequest.
absl::Status CheckSampling(const v1::SamplingParameters& sampling, int vocab_size);

}  // namespace terminus::services::decoder::edge
