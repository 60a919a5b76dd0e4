#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/decoder/edge/text_codec.h"
#include "services/decoder/sampling/sampler.h"
#include "terminus/v1/decoder.pb.h"

// What is checked of a request before anything is tokenised or queued. Every error carries a reason
// and the field at fault, as the client named it: a path inside GenerateRequest.
namespace terminus::services::decoder::edge {

inline constexpr int kMaxMessages = 1024;
inline constexpr int kMaxParts = 64;
inline constexpr int kMaxStops = 16;
inline constexpr size_t kMaxStopBytes = 256;
inline constexpr float kMaxTemperature = 10;

// A request with nothing left to find fault with but the length of its prompt.
struct GenerateWish {
  std::vector<ChatMessage> messages;
  sampling::Parameters sampling;
  int choices = 1;
  // 0: as many as the context has room for.
  int max_tokens = 0;
  std::vector<std::string> stops;
};

// `defaults` stand in for what the request leaves unset; without a seed, `random_seed` is taken.
absl::StatusOr<GenerateWish> CheckGenerate(const v1::DecoderGenerateRequest& request,
                                           const sampling::Parameters& defaults,
                                           uint64_t random_seed, int64_t max_text_bytes);

}  // namespace terminus::services::decoder::edge
