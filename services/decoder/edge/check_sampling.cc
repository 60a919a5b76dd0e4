#include "services/decoder/edge/check_sampling.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "models/sampling/parameters.h"
#include "services/decoder/pipeline/generation.h"

namespace terminus::services::decoder::edge {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return base::FieldError(base::kReasonInvalidRequest, absl::StrCat("sampling.", field), message);
}

// Written so that NaN is outside.
absl::Status CheckRange(absl::string_view field, float value, float min, float max) {
  if (value >= min && value <= max) {
    return absl::OkStatus();
  }
  return Invalid(field, absl::StrCat(value, ", expected ", min, " to ", max));
}

// As CheckRange, but 0 itself is outside.
absl::Status CheckPositive(absl::string_view field, float value, float max) {
  if (value > 0 && value <= max) {
    return absl::OkStatus();
  }
  return Invalid(field, absl::StrCat(value, ", expected more than 0 and at most ", max));
}

// The fields that bend the distribution. Those that are not set need not be looked at: a penalty
// that is unset reads 0.
absl::Status CheckShape(const v1::SamplingParameters& sampling) {
  TERMINUS_RETURN_IF_ERROR(CheckRange("temperature", sampling.temperature(), 0, kMaxTemperature));
  if (sampling.has_top_p()) {
    TERMINUS_RETURN_IF_ERROR(CheckPositive("top_p", sampling.top_p(), 1));
  }
  TERMINUS_RETURN_IF_ERROR(CheckRange("min_p", sampling.min_p(), 0, 1));
  if (sampling.has_repetition_penalty()) {
    TERMINUS_RETURN_IF_ERROR(
        CheckPositive("repetition_penalty", sampling.repetition_penalty(), kMaxRepetitionPenalty));
  }
  TERMINUS_RETURN_IF_ERROR(
      CheckRange("frequency_penalty", sampling.frequency_penalty(), -kMaxPenalty, kMaxPenalty));
  return CheckRange("presence_penalty", sampling.presence_penalty(), -kMaxPenalty, kMaxPenalty);
}

absl::Status CheckToken(absl::string_view field, uint32_t token, int vocab_size) {
  if (token < static_cast<uint32_t>(vocab_size)) {
    return absl::OkStatus();
  }
  return Invalid(field, absl::StrCat("token ", token, ", the model has ", vocab_size, " tokens"));
}

absl::Status CheckBiases(const v1::SamplingParameters& sampling, int vocab_size) {
  if (sampling.logit_bias_size() > models::sampling::kMaxLogitBiases) {
    return Invalid("logit_bias", absl::StrCat(sampling.logit_bias_size(), " biases, at most ",
                                              models::sampling::kMaxLogitBiases, " are taken"));
  }
  absl::flat_hash_set<uint32_t> tokens;
  for (int i = 0; i < sampling.logit_bias_size(); ++i) {
    const v1::LogitBias& one = sampling.logit_bias(i);
    const std::string field = absl::StrCat("logit_bias[", i, "]");
    TERMINUS_RETURN_IF_ERROR(CheckToken(field + ".token_id", one.token_id(), vocab_size));
    TERMINUS_RETURN_IF_ERROR(
        CheckRange(field + ".bias", one.bias(), -kMaxLogitBias, kMaxLogitBias));
    if (!tokens.insert(one.token_id()).second) {
      return Invalid(field + ".token_id",
                     absl::StrCat("token ", one.token_id(), " has a bias already"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLengths(const v1::SamplingParameters& sampling) {
  if (sampling.has_max_tokens() && sampling.max_tokens() == 0) {
    return Invalid("max_tokens", "0, expected at least 1");
  }
  if (sampling.has_max_tokens() && sampling.min_tokens() > sampling.max_tokens()) {
    return Invalid("min_tokens", absl::StrCat(sampling.min_tokens(), ", more than max_tokens, ",
                                              sampling.max_tokens()));
  }
  return absl::OkStatus();
}

absl::Status CheckStops(const v1::SamplingParameters& sampling, int vocab_size) {
  if (sampling.stop_size() > kMaxStops) {
    return Invalid("stop", absl::StrCat(sampling.stop_size(), " stop strings, at most ", kMaxStops,
                                        " are taken"));
  }
  for (int i = 0; i < sampling.stop_size(); ++i) {
    const size_t size = sampling.stop(i).size();
    if (size == 0 || size > kMaxStopBytes) {
      return Invalid(absl::StrCat("stop[", i, "]"),
                     absl::StrCat(size, " bytes, expected 1 to ", kMaxStopBytes));
    }
  }
  if (sampling.stop_token_ids_size() > kMaxStopTokens) {
    return Invalid("stop_token_ids",
                   absl::StrCat(sampling.stop_token_ids_size(), " tokens, at most ", kMaxStopTokens,
                                " are taken"));
  }
  for (int i = 0; i < sampling.stop_token_ids_size(); ++i) {
    TERMINUS_RETURN_IF_ERROR(CheckToken(absl::StrCat("stop_token_ids[", i, "]"),
                                        sampling.stop_token_ids(i), vocab_size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSampling(const v1::SamplingParameters& sampling, int vocab_size) {
  TERMINUS_RETURN_IF_ERROR(CheckShape(sampling));
  TERMINUS_RETURN_IF_ERROR(CheckLengths(sampling));
  if (sampling.top_logprobs() > models::sampling::kMaxTopLogprobs) {
    return Invalid("top_logprobs", absl::StrCat(sampling.top_logprobs(), ", at most ",
                                                models::sampling::kMaxTopLogprobs));
  }
  if (sampling.choices() > static_cast<uint32_t>(pipeline::kMaxChoices)) {
    return Invalid("choices",
                   absl::StrCat(sampling.choices(), ", at most ", pipeline::kMaxChoices));
  }
  TERMINUS_RETURN_IF_ERROR(CheckBiases(sampling, vocab_size));
  return CheckStops(sampling, vocab_size);
}

}  // namespace terminus::services::decoder::edge
