#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/grammar/source.h"
#include "models/decoder/generation_settings.h"
#include "models/sampling/parameters.h"
#include "services/decoder/edge/text_codec.h"
#include "terminus/v1/decoder.pb.h"

// Checks a request before anything is tokenised or queued. Every error carries a reason and the
// field at fault: a path inside GenerateRequest.
namespace terminus::services::decoder::edge {

inline constexpr int kMaxMessages = 1024;
inline constexpr int kMaxParts = 64;

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
  // Each ends the answer and is not shown, once it has sampling.min_tokens.
  std::vector<int32_t> stop_tokens;
  // The model's end-of-sequence tokens do not end the answer.
  bool ignore_eos = false;
  // What the answer has to be. It may not be possible to compile it.
  absl::optional<grammar::Source> format;
  // Special tokens in the text of messages are special tokens.
  bool special_tokens_in_messages = false;
};

struct RequestLimits {
  // Of all messages together.
  int64_t max_text_bytes = 0;
  // The model gives ids below it.
  int vocab_size = 0;
};

// `settings` are those of the model's folder, for what the request leaves unset. A temperature
// alone decides whether a token is drawn: 0 makes the answer greedy, any other makes it sampled.
// Without a seed, `random_seed` is taken.
absl::StatusOr<GenerateWish> CheckGenerate(const v1::DecoderGenerateRequest& request,
                                           const models::decoder::GenerationSettings& settings,
                                           uint64_t random_seed, const RequestLimits& limits);

}  // namespace terminus::services::decoder::edge
