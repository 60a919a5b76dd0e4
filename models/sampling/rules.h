#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/optional.h"

// The settings of a model's folder for the choice of tokens. No torch in this header.
namespace terminus::models::sampling {

// Added to the logit of `tokens`' last one where the others stand before it.
struct SequenceBias {
  std::vector<int32_t> tokens;
  float bias = 0;
};

// Changes of the logits that no request can change. The order in which they apply, and the method
// of each, are those of transformers' generate(). A default changes nothing.
struct LogitRules {
  std::vector<SequenceBias> sequence_bias;
  float encoder_repetition_penalty = 1;
  int no_repeat_ngram_size = 0;
  int encoder_no_repeat_ngram_size = 0;
  // Each bias is minus infinity.
  std::vector<SequenceBias> bad_words;
  // Tokens of prompt and answer before which no end-of-sequence token comes. Without effect beside
  // min_new_tokens, which counts the answer's alone.
  int min_length = 0;
  absl::optional<int> min_new_tokens;
  absl::optional<int32_t> forced_bos_token_id;
  std::vector<int32_t> forced_eos_token_ids;
  bool remove_invalid_values = false;
  // Past `decay_start` tokens of the answer, |logit| · (factor^n - 1) is added to those of
  // end-of-sequence tokens, n tokens further on. A factor of 0 stands for none.
  int64_t decay_start = 0;
  double decay_factor = 0;
  std::vector<int32_t> suppress_tokens;
  std::vector<int32_t> begin_suppress_tokens;
  std::vector<int32_t> eos_token_ids;

  // These four apply only when sampling. 0 switches a filter off; for typical_p, 1 does.
  double top_h = 0;
  double typical_p = 1;
  double epsilon_cutoff = 0;
  double eta_cutoff = 0;
};

}  // namespace terminus::models::sampling
