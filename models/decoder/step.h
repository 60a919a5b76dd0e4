#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "models/decoder/kv_view.h"
#include "models/decoder/soft_tokens.h"

namespace terminus::models::decoder {

// One forward pass over the new tokens of several sequences; chunks of prompts and single decoded
// tokens may be mixed. Nothing is owned: all spans must live until Forward returns.
struct StepInput {
  // [tokens], sequences one behind the other.
  absl::Span<const int32_t> token_ids;
  // [tokens]: place of each token in its sequence, from 0. A sequence's new tokens are its last:
  // their places are consecutive and end at its length in `kv`.
  absl::Span<const int32_t> positions;
  // [sequences + 1]: first token of each sequence, then the number of tokens. None is empty.
  absl::Span<const int32_t> query_indptr;
  // One table for each sequence, with room for the new tokens: their keys and values are written.
  KvView kv;
  // Indices into `token_ids` of the tokens whose logits are wanted, in the order wanted.
  absl::Span<const int32_t> logits_tokens;
  // float32 [tokens, hidden_size], from the stage before; empty on the first stage, which alone
  // looks at `token_ids`' embeddings.
  absl::Span<const float> hidden_states;
  // Ascending, without overlap. Only for a model that takes soft tokens, whose first stage alone
  // looks at them.
  absl::Span<const SoftSpan> soft;
};

// What the last stage makes: [rows, vocab_size] in the order of logits_tokens. Valid until the next
// call of the model that made it.
struct Logits {
  int rows = 0;
  int vocab_size = 0;
  absl::Span<const float> values;
};

// What every other stage makes: [tokens, hidden_size], float32. Valid as Logits are.
struct HiddenStates {
  int tokens = 0;
  int hidden_size = 0;
  absl::Span<const float> values;
};

}  // namespace terminus::models::decoder
