#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/sampling/parameters.h"
#include "models/sampling/rules.h"

// Changes logits by the settings of a request and of the model's folder, before a token is chosen.
namespace terminus::models::sampling {

// The sequence whose next token is sought.
struct History {
  // Prompt and answer so far. May be empty where LooksBack() is false.
  absl::Span<const int32_t> tokens;
  // Tokens of prompt and answer so far, of the prompt alone, and at most.
  int length = 0;
  int prompt_length = 0;
  int max_length = 0;
};

// Whether ProcessLogits looks at the history's tokens, and not at its lengths alone.
bool LooksBack(const LogitRules& rules, const Parameters& parameters);

// Whether there is any history for which ProcessLogits changes finite logits.
bool ChangesLogits(const LogitRules& rules, const Parameters& parameters);

// Changes one row of logits, [vocabulary], by the folder's rules as transformers' logits processors
// do, in its order: biases, penalties, bans, then forced tokens. What the request adds comes beside
// its like: its biases are summed with the folder's; its frequency and presence penalties follow
// the repetition penalty; its min_tokens bans the end of the sequence as the folder's does. Logits
// of banned tokens become minus infinity.
// Requires: the tokens in `rules`, `parameters` and `history` are below the vocabulary's size.
void ProcessLogits(const LogitRules& rules, const Parameters& parameters, const History& history,
                   absl::Span<float> logits);

// Bans the tokens whose bit is not set, lowest bit first. Requires: `mask` has
// (logits.size() + 31) / 32 words.
void ApplyMask(const uint32_t* mask, absl::Span<float> logits);

// FAILED_PRECONDITION when every processed logit is minus infinity (reason NO_TOKEN_LEFT) or one is
// NaN; to draw from, when one is infinitely likely too.
absl::Status CheckChoosable(absl::Span<const float> logits, bool draw);

}  // namespace terminus::models::sampling
