#include "models/sampling/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "models/sampling/arithmetic.h"

namespace terminus::models::sampling {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

float& At(absl::Span<float> logits, int32_t token) { return logits[static_cast<size_t>(token)]; }

void Ban(const std::vector<int32_t>& tokens, absl::Span<float> logits) {
  for (const int32_t token : tokens) {
    At(logits, token) = kBanned;
  }
}

// Only these tokens are left, equally likely.
void Force(absl::Span<const int32_t> tokens, absl::Span<float> logits) {
  std::fill(logits.begin(), logits.end(), kBanned);
  for (const int32_t token : tokens) {
    At(logits, token) = 0;
  }
}

bool EndsWith(absl::Span<const int32_t> tokens, absl::Span<const int32_t> end) {
  return end.size() <= tokens.size() && tokens.last(end.size()) == end;
}

// The biases of one token are summed first, as the reference does.
void AddBiases(const std::vector<SequenceBias>& sequences,
               const std::vector<LogitBias>& of_single_tokens, absl::Span<const int32_t> tokens,
               absl::Span<float> logits) {
  if (sequences.empty() && of_single_tokens.empty()) {
    return;
  }
  std::vector<float> bias(logits.size(), 0);
  for (const SequenceBias& sequence : sequences) {
    const auto before = absl::MakeConstSpan(sequence.tokens).first(sequence.tokens.size() - 1);
    if (EndsWith(tokens, before)) {
      bias[static_cast<size_t>(sequence.tokens.back())] += sequence.bias;
    }
  }
  for (const LogitBias& single : of_single_tokens) {
    bias[static_cast<size_t>(single.token)] += single.bias;
  }
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] += bias[i];
  }
}

// Each token of `tokens` once, however often it is there.
void Penalize(float penalty, absl::Span<const int32_t> tokens, absl::Span<float> logits) {
  if (penalty == 1) {
    return;
  }
  std::vector<bool> done(logits.size(), false);
  for (const int32_t token : tokens) {
    const auto i = static_cast<size_t>(token);
    if (!done[i]) {
      done[i] = true;
      logits[i] = PenalizeRepetition(logits[i], penalty);
    }
  }
}

void PenalizeCounts(const Parameters& parameters, absl::Span<const int32_t> answer,
                    absl::Span<float> logits) {
  if (parameters.frequency_penalty == 0 && parameters.presence_penalty == 0) {
    return;
  }
  std::vector<int> counts(logits.size(), 0);
  for (const int32_t token : answer) {
    ++counts[static_cast<size_t>(token)];
  }
  for (size_t i = 0; i < logits.size(); ++i) {
    if (counts[i] > 0) {
      logits[i] = PenalizeCount(logits[i], counts[i], parameters.frequency_penalty,
                                parameters.presence_penalty);
    }
  }
}

// Bans the tokens that would end an n-gram of `text`, whose first n - 1 tokens end `tokens`.
void BanRepeats(int size, absl::Span<const int32_t> text, absl::Span<const int32_t> tokens,
                absl::Span<float> logits) {
  const auto n = static_cast<size_t>(size);
  if (n == 0 || tokens.size() + 1 < n) {
    return;
  }
  const absl::Span<const int32_t> before = tokens.last(n - 1);
  for (size_t begin = 0; begin + n <= text.size(); ++begin) {
    if (text.subspan(begin, n - 1) == before) {
      At(logits, text[begin + n - 1]) = kBanned;
    }
  }
}

bool TooShortToEnd(const LogitRules& rules, const Parameters& parameters, const History& history) {
  const int answer = history.length - history.prompt_length;
  const bool by_rules = rules.min_new_tokens.has_value() ? answer < *rules.min_new_tokens
                                                         : history.length < rules.min_length;
  return by_rules || answer < parameters.min_tokens;
}

void RemoveInvalid(absl::Span<float> logits) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (float& logit : logits) {
    logit = std::isnan(logit) ? 0 : std::clamp(logit, -kLargest, kLargest);
  }
}

// Makes the end likelier the longer the answer becomes.
void ApplyDecay(const LogitRules& rules, const History& history, absl::Span<float> logits) {
  const int64_t past = history.length - history.prompt_length - rules.decay_start;
  if (rules.decay_factor == 0 || past <= 0) {
    return;
  }
  const auto share =
      static_cast<float>(std::pow(rules.decay_factor, static_cast<double>(past)) - 1);
  std::vector<bool> done(logits.size(), false);
  for (const int32_t token : rules.eos_token_ids) {
    float& logit = At(logits, token);
    if (std::isfinite(logit) && !done[static_cast<size_t>(token)]) {
      done[static_cast<size_t>(token)] = true;
      logit += std::abs(logit) * share;
    }
  }
}

}  // namespace

bool LooksBack(const LogitRules& rules, const Parameters& parameters) {
  const auto several = [](const SequenceBias& sequence) { return sequence.tokens.size() > 1; };
  return parameters.repetition_penalty != 1 || parameters.frequency_penalty != 0 ||
         parameters.presence_penalty != 0 || rules.encoder_repetition_penalty != 1 ||
         rules.no_repeat_ngram_size > 0 || rules.encoder_no_repeat_ngram_size > 0 ||
         std::any_of(rules.sequence_bias.begin(), rules.sequence_bias.end(), several) ||
         std::any_of(rules.bad_words.begin(), rules.bad_words.end(), several);
}

bool ChangesLogits(const LogitRules& rules, const Parameters& parameters) {
  return LooksBack(rules, parameters) || !parameters.logit_bias.empty() ||
         parameters.min_tokens > 0 || !rules.sequence_bias.empty() || !rules.bad_words.empty() ||
         rules.min_length > 0 || rules.min_new_tokens.has_value() ||
         rules.forced_bos_token_id.has_value() || !rules.forced_eos_token_ids.empty() ||
         rules.decay_factor != 0 || !rules.suppress_tokens.empty() ||
         !rules.begin_suppress_tokens.empty();
}

void ProcessLogits(const LogitRules& rules, const Parameters& parameters, const History& history,
                   absl::Span<float> logits) {
  const absl::Span<const int32_t> tokens = history.tokens;
  const auto prompt = tokens.first(
      std::min(tokens.size(), static_cast<size_t>(std::max(0, history.prompt_length))));
  AddBiases(rules.sequence_bias, parameters.logit_bias, tokens, logits);
  // The penalty that a model's encoder would apply is the reciprocal.
  if (rules.encoder_repetition_penalty != 1) {
    Penalize(1 / rules.encoder_repetition_penalty, prompt, logits);
  }
  Penalize(parameters.repetition_penalty, tokens, logits);
  PenalizeCounts(parameters, tokens.subspan(prompt.size()), logits);
  BanRepeats(rules.no_repeat_ngram_size, tokens, tokens, logits);
  BanRepeats(rules.encoder_no_repeat_ngram_size, prompt, tokens, logits);
  AddBiases(rules.bad_words, {}, tokens, logits);
  if (TooShortToEnd(rules, parameters, history)) {
    Ban(rules.eos_token_ids, logits);
  }
  if (rules.forced_bos_token_id.has_value() && history.length == 1) {
    Force({&*rules.forced_bos_token_id, 1}, logits);
  }
  if (!rules.forced_eos_token_ids.empty() && history.length == history.max_length - 1) {
    Force(rules.forced_eos_token_ids, logits);
  }
  if (rules.remove_invalid_values) {
    RemoveInvalid(logits);
  }
  ApplyDecay(rules, history, logits);
  Ban(rules.suppress_tokens, logits);
  // A forced first token comes before what an answer is not to begin with.
  const bool forced_first = rules.forced_bos_token_id.has_value() && history.prompt_length <= 1;
  if (history.length == history.prompt_length + (forced_first ? 1 : 0)) {
    Ban(rules.begin_suppress_tokens, logits);
  }
}

void ApplyMask(const uint32_t* mask, absl::Span<float> logits) {
  for (size_t i = 0; i < logits.size(); ++i) {
    if ((mask[i / 32] >> (i % 32) & 1) == 0) {
      logits[i] = kBanned;
    }
  }
}

absl::Status CheckChoosable(absl::Span<const float> logits, bool draw) {
  const auto nan =
      std::find_if(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); });
  if (nan != logits.end()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the generation settings make the logit of token ", nan - logits.begin(), " no number"));
  }
  const float largest = *std::max_element(logits.begin(), logits.end());
  if (largest == kBanned) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoTokenLeft,
                           "the generation settings rule out every token");
  }
  if (draw && std::isinf(largest)) {
    return absl::FailedPreconditionError(
        "the generation settings make a token infinitely likely, so that none can be drawn");
  }
  return absl::OkStatus();
}

}  // namespace terminus::models::sampling
