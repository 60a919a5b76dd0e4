#include "models/sampling/device_rules.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>

namespace terminus::models::sampling {
namespace {

bool AreSingleTokens(const std::vector<SequenceBias>& sequences) {
  return std::all_of(sequences.begin(), sequences.end(),
                     [](const SequenceBias& sequence) { return sequence.tokens.size() == 1; });
}

// The length from which the answer has `tokens` tokens.
int32_t LengthOf(int prompt_length, int tokens) {
  const int64_t length = int64_t{prompt_length} + tokens;
  return static_cast<int32_t>(std::min<int64_t>(length, std::numeric_limits<int32_t>::max()));
}

int32_t EndFrom(const Parameters& parameters, const LogitRules& rules, int prompt_length) {
  const int32_t by_rules = rules.min_new_tokens.has_value()
                               ? LengthOf(prompt_length, *rules.min_new_tokens)
                               : rules.min_length;
  return std::max(by_rules, LengthOf(prompt_length, parameters.min_tokens));
}

}  // namespace

bool DeviceCanApply(const LogitRules& rules) {
  const auto cuts = [](double share) { return share > 0 && share < 1; };
  const bool warps = rules.top_h > 0 || rules.typical_p < 1 || cuts(rules.epsilon_cutoff) ||
                     cuts(rules.eta_cutoff);
  const bool looks_back = rules.encoder_repetition_penalty != 1 || rules.no_repeat_ngram_size > 0 ||
                          rules.encoder_no_repeat_ngram_size > 0 ||
                          !AreSingleTokens(rules.sequence_bias) ||
                          !AreSingleTokens(rules.bad_words);
  const bool forces = rules.forced_bos_token_id.has_value() ||
                      !rules.forced_eos_token_ids.empty() || rules.decay_factor != 0 ||
                      rules.remove_invalid_values;
  const size_t listed = rules.sequence_bias.size() + rules.bad_words.size() +
                        rules.suppress_tokens.size() + rules.begin_suppress_tokens.size() +
                        rules.eos_token_ids.size();
  return !warps && !looks_back && !forces && listed + kMaxLogitBiases <= kMaxTokenRules;
}

DeviceSampling MakeDeviceSampling(const Parameters& parameters, const LogitRules& rules,
                                  int prompt_length) {
  DeviceSampling sampling;
  SlotSampling& slot = sampling.slot;
  slot = {.temperature = parameters.temperature,
          .top_k = parameters.top_k,
          .top_p = parameters.top_p,
          .min_p = parameters.min_p,
          .repetition_penalty = parameters.repetition_penalty,
          .frequency_penalty = parameters.frequency_penalty,
          .presence_penalty = parameters.presence_penalty,
          .top_logprobs = std::min(parameters.top_logprobs, kMaxTopLogprobs),
          .seed = parameters.seed,
          .choice = parameters.choice,
          .prompt_length = prompt_length,
          .end_from = EndFrom(parameters, rules, prompt_length),
          .rules = 0};
  std::map<int32_t, TokenRule> by_token;
  const auto rule = [&](int32_t token) -> TokenRule& {
    return by_token.try_emplace(token, TokenRule{.token = token, .bias = 0, .bans = 0})
        .first->second;
  };
  const auto ban = [&](const std::vector<int32_t>& tokens, TokenBan when) {
    for (const int32_t token : tokens) {
      rule(token).bans |= when;
    }
  };
  // In the order in which ProcessLogits sums them.
  for (const SequenceBias& sequence : rules.sequence_bias) {
    rule(sequence.tokens.back()).bias += sequence.bias;
  }
  for (const LogitBias& bias : parameters.logit_bias) {
    rule(bias.token).bias += bias.bias;
  }
  for (const SequenceBias& word : rules.bad_words) {
    rule(word.tokens.back()).bans |= kBanAlways;
  }
  ban(rules.suppress_tokens, kBanAlways);
  ban(rules.begin_suppress_tokens, kBanFirst);
  if (slot.end_from > prompt_length) {
    ban(rules.eos_token_ids, kBanEnd);
  }
  for (const auto& [token, of_token] : by_token) {
    sampling.rules.push_back(of_token);
  }
  slot.rules = static_cast<int32_t>(sampling.rules.size());
  return sampling;
}

}  // namespace terminus::models::sampling
