#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/sampling/logits.h"

namespace terminus::models::sampling {

// Orders tokens by logit, likeliest first, ties by id.
struct Likelier {
  absl::Span<const float> logits;
  bool operator()(int32_t a, int32_t b) const {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  }
};

// What a request, or else the model's folder, says about the draw of a token.
struct Shape {
  // Above 0.
  float temperature = 1;
  // Keep the k likeliest tokens; 0 keeps all.
  uint32_t top_k = 0;
  // Keep the fewest likeliest tokens that sum to this probability, in [0, 1].
  float top_p = 1;
  // Drop tokens below this share of the likeliest one's probability, in [0, 1].
  float min_p = 0;
};

// Tokens to draw from, by ascending id, and the weight of each (see arithmetic.h).
struct Candidates {
  std::vector<int32_t> tokens;
  std::vector<uint64_t> weights;
};

uint64_t Total(const Candidates& candidates);

// The tokens that are left of one row of processed logits, at least one. As transformers' warpers
// do, in its order: temperature, top_h, top_k, top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff.
// Each looks at the probabilities of the tokens that those before it left.
//
// Requires: CheckChoosable(logits, true), and at most kMaxVocabulary logits.
Candidates FindCandidates(absl::Span<const float> logits, const Shape& shape,
                          const LogitRules& rules);

}  // namespace terminus::models::sampling
