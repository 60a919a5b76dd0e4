#include "models/decoder/step_check.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::models::decoder {
namespace {

template <class... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("step: ", parts...));
}

// Rises from 0 by at least one at a time to `total`.
absl::Status CheckOffsets(const char* name, absl::Span<const int32_t> offsets, size_t total) {
  if (offsets.empty() || offsets[0] != 0) {
    return Bad(name, " must begin with 0");
  }
  for (size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] <= offsets[i - 1]) {
      return Bad("sequence ", i - 1, " is empty in ", name);
    }
  }
  if (static_cast<size_t>(offsets.back()) != total) {
    return Bad(name, " ends with ", offsets.back(), ", expected ", total);
  }
  return absl::OkStatus();
}

absl::Status CheckSequence(const StepInput& input, const StepLimits& limits, size_t sequence) {
  const int last_len = input.kv.last_page_len[sequence];
  if (last_len < 1 || last_len > kKvBlockTokens) {
    return Bad("last_page_len of sequence ", sequence, " is ", last_len, ", expected 1 to ",
               kKvBlockTokens);
  }
  const int64_t blocks = input.kv.indptr[sequence + 1] - input.kv.indptr[sequence];
  const int64_t length = (blocks - 1) * kKvBlockTokens + last_len;
  const int begin = input.query_indptr[sequence];
  const int queries = input.query_indptr[sequence + 1] - begin;
  if (length > limits.max_context || queries > length) {
    return Bad("sequence ", sequence, " has ", length, " tokens, ", queries,
               " of them new; the model takes up to ", limits.max_context);
  }
  for (int i = 0; i < queries; ++i) {
    if (input.positions[begin + i] != length - queries + i) {
      return Bad("token ", i, " of sequence ", sequence, " is at position ",
                 input.positions[begin + i], ", its blocks say ", length - queries + i);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTokens(const StepInput& input, const StepLimits& limits) {
  const size_t tokens = input.token_ids.size();
  if (input.positions.size() != tokens) {
    return Bad(tokens, " token ids but ", input.positions.size(), " positions");
  }
  const size_t hidden = limits.first_stage ? 0 : tokens * limits.hidden_size;
  if (input.hidden_states.size() != hidden) {
    return Bad("hidden_states has ", input.hidden_states.size(), " elements, expected ", hidden);
  }
  // The other stages embed no token, and may not know it yet.
  for (size_t i = 0; i < tokens && limits.first_stage; ++i) {
    if (input.token_ids[i] < 0 || input.token_ids[i] >= limits.vocab_size) {
      return Bad("token ", i, " has id ", input.token_ids[i], ", the vocabulary has ",
                 limits.vocab_size);
    }
  }
  for (const int32_t token : input.logits_tokens) {
    if (token < 0 || static_cast<size_t>(token) >= tokens) {
      return Bad("logits are wanted of token ", token, " of ", tokens);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSoft(const StepInput& input, const StepLimits& limits) {
  int64_t end = 0;
  for (const SoftSpan& span : input.soft) {
    const int64_t first = span.first_token;
    if (first < end || span.rows < 1 ||
        first + span.rows > static_cast<int64_t>(input.token_ids.size())) {
      return Bad("soft tokens at ", span.first_token, ", ", span.rows, " of them; the step has ",
                 input.token_ids.size(), " tokens, and those before end at ", end);
    }
    const SoftTokens& tokens = *span.tokens;
    if (tokens.values.size() != static_cast<size_t>(tokens.rows) * limits.hidden_size) {
      return Bad("soft tokens with ", tokens.values.size(), " values, expected ", tokens.rows,
                 " rows of ", limits.hidden_size);
    }
    if (span.first_row < 0 || int64_t{span.first_row} + span.rows > tokens.rows) {
      return Bad("soft rows ", span.first_row, " to ", int64_t{span.first_row} + span.rows,
                 ", there are ", tokens.rows);
    }
    end = first + span.rows;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckStep(const StepInput& input, const StepLimits& limits) {
  TERMINUS_RETURN_IF_ERROR(CheckTokens(input, limits));
  TERMINUS_RETURN_IF_ERROR(CheckSoft(input, limits));
  TERMINUS_RETURN_IF_ERROR(
      CheckOffsets("query_indptr", input.query_indptr, input.token_ids.size()));
  TERMINUS_RETURN_IF_ERROR(CheckOffsets("kv.indptr", input.kv.indptr, input.kv.indices.size()));
  const size_t sequences = input.query_indptr.size() - 1;
  if (input.kv.indptr.size() != sequences + 1 || input.kv.last_page_len.size() != sequences) {
    return Bad(sequences, " sequences in query_indptr, ", input.kv.indptr.size() - 1,
               " in kv.indptr, ", input.kv.last_page_len.size(), " in kv.last_page_len");
  }
  for (const int32_t block : input.kv.indices) {
    if (block < 0 || block >= limits.kv_blocks) {
      return Bad("KV block ", block, ", there are ", limits.kv_blocks);
    }
  }
  for (size_t i = 0; i < sequences; ++i) {
    TERMINUS_RETURN_IF_ERROR(CheckSequence(input, limits, i));
  }
  return absl::OkStatus();
}

}  // namespace terminus::models::decoder
