#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "models/decoder/soft_tokens.h"
#include "models/sampling/parameters.h"
#include "services/decoder/pipeline/token_constraint.h"

namespace terminus::services::decoder::pipeline {

// Answers to one prompt at most; a request's sequences are numbered within it.
inline constexpr int kMaxChoices = 8;

enum class EndReason {
  // An end-of-sequence token, or the sink asked for the end.
  kStop,
  // max_tokens or the context was reached.
  kLength,
};

// What is known once a generation is over.
struct GenerationReport {
  int prompt_tokens = 0;
  // Of these, taken from cached blocks by the first choice when it first ran.
  int cached_prompt_tokens = 0;
  // From the arrival to the first step; from there to the first token; from there to the end.
  absl::Duration queue;
  absl::Duration prefill;
  absl::Duration decode;
};

// Takes what a generation gives. All but Full are called on the engine's thread, one at a time,
// and must not block.
class TokenSink {
 public:
  virtual ~TokenSink() = default;

  // True while the choice's reader is behind; then its sequence is paused until Engine::Wake is
  // called. As many tokens as there are steps in flight may still come. Called on any thread.
  virtual bool Full(int choice) const = 0;

  // The next token of a choice. An end-of-sequence token is among them.
  virtual void OnToken(int choice, models::sampling::Sampled token) = 0;
  // Nothing more comes for this choice.
  virtual void OnEnd(int choice, EndReason reason) = 0;
  // The last call, exactly one. Not OK: CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE (the engine is
  // being shut down), or what the model failed with.
  virtual void OnDone(const absl::Status& status, const GenerationReport& report) = 0;
};

struct Generation {
  // At least one token, and fewer than Engine::max_context().
  std::vector<int32_t> prompt;
  // `choice` in it is set by the engine.
  models::sampling::Parameters sampling;
  // 1 to kMaxChoices.
  int choices = 1;
  // At least 1.
  int max_tokens = 1;
  // End-of-sequence tokens are tokens like any other.
  bool ignore_eos = false;
  // Sequences run in order of priority, the lower the sooner, then of arrival.
  int priority = 0;
  // Null: every token is allowed. Requires: not together with ignore_eos.
  ConstraintFactory constraint;
  // Embeddings in place of tokens of the prompt; first_token counts from its beginning. Ascending,
  // without overlap, within the prompt. Requires: rows as long as the model's hidden states; equal
  // hashes stand for equal rows.
  std::vector<models::decoder::SoftSpan> soft;
  absl::Time arrival;
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<TokenSink> sink;
};

}  // namespace terminus::services::decoder::pipeline
