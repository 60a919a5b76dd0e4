#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/decoder/generation_settings.h"
#include "services/decoder/edge/text_codec.h"
#include "models/sampling/sampler.h"
#include "terminus/v1/decoder.pb.h"

// Checks a request before anything is tokenised or queued. Every error carries a reason and the
// field at fault: a path inside GenerateRequest.
namespace terminus::services::decoder::edge {

inline constexpr int kMaxMessages = 1024;
inline constexpr int kMaxParts = 64;
inline constexpr int kMaxStops = 16;
inline constexpr size_t kMaxStopBytes = 256;
inline constexpr float kMaxTemperature = 10;
inline constexpr float kMaxRepetitionPenalty = 10;

// A validated request. Only the length of its prompt is not checked yet.
struct GenerateWish {
  std::vector<ChatMessage> messages;
  models::sampling::Parameters sampling;
  int choices = 1;
  // Of the answer; 0: not set.
  int max_tokens = 0;
  // Of prompt and answer, where max_tokens is not set. If neither is, the context's.
  int max_length = 0;
  std::vector<std::string> stops;
  // Special tokens in the text of messages are special tokens.
  bool special_tokens_in_messages = false;
};

// `settings` are those of the model's folder, for what the request leaves unset. A temperature
// alone decides whether a token is drawn: 0 makes the answer greedy, any other makes it sampled.
// Without a seed, `random_seed` is taken.
absl::StatusOr<GenerateWish> CheckGenerate(const v1::DecoderGenerateRequest& request,
                                           const models::decoder::GenerationSettings& settings,
                                           uint64_t random_seed, int64_t max_text_bytes);

}  // namespace terminus::services::decoder::edge
