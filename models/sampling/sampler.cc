#include "models/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "models/sampling/candidates.h"
#include "models/sampling/philox.h"

namespace terminus::models::sampling {
namespace {

absl::Status CheckFinite(absl::Span<const float> logits) {
  if (logits.empty()) {
    return absl::InternalError("the model gave no logits");
  }
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isfinite(logits[i])) {
      return absl::InternalError(absl::StrCat("the model's logit of token ", i, " is ", logits[i]));
    }
  }
  return absl::OkStatus();
}

std::vector<int32_t> AllTokens(absl::Span<const float> logits) {
  std::vector<int32_t> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

// The token at which the sum of the weights passes a share of the whole.
int32_t Draw(const Candidates& candidates, double share) {
  double total = 0;
  for (const double weight : candidates.weights) {
    total += weight;
  }
  const double target = share * total;
  double sum = 0;
  int32_t last = candidates.tokens.front();
  for (size_t i = 0; i < candidates.tokens.size(); ++i) {
    const double weight = candidates.weights[i];
    if (weight == 0) {
      continue;
    }
    last = candidates.tokens[i];
    sum += weight;
    if (target < sum) {
      break;
    }
  }
  return last;  // The sum may end a rounding error below the target.
}

int32_t Choose(absl::Span<const float> logits, const Parameters& parameters, uint64_t position,
               const LogitRules& rules) {
  if (parameters.temperature == 0) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  const Shape shape = {.temperature = parameters.temperature,
                       .top_k = parameters.top_k,
                       .top_p = parameters.top_p,
                       .min_p = parameters.min_p};
  return Draw(FindCandidates(logits, shape, rules),
              Uniform(parameters.seed, parameters.choice, position));
}

void AddLogprobs(absl::Span<const float> logits, int count, Sampled& sampled) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(double{logit} - largest);
  }
  const double log_sum = largest + std::log(sum);
  const auto logprob = [&](int32_t token) {
    return static_cast<float>(logits[static_cast<size_t>(token)] - log_sum);
  };
  sampled.chosen.logprob = logprob(sampled.chosen.token);
  if (count == 0) {
    return;
  }
  std::vector<int32_t> tokens = AllTokens(logits);
  const auto end = tokens.begin() + std::min<int64_t>(count, static_cast<int64_t>(tokens.size()));
  std::partial_sort(tokens.begin(), end, tokens.end(), Likelier{logits});
  for (auto token = tokens.begin(); token != end; ++token) {
    sampled.top.push_back({*token, logprob(*token)});
  }
}

}  // namespace

absl::StatusOr<Sampled> Sample(absl::Span<const float> logits, const Parameters& parameters,
                               uint64_t position, const LogitRules& rules, const History& history) {
  if (absl::Status status = CheckFinite(logits); !status.ok()) {
    return status;
  }
  std::vector<float> processed;
  absl::Span<const float> chosen_from = logits;
  if (ChangesLogits(rules, parameters.repetition_penalty)) {
    processed.assign(logits.begin(), logits.end());
    ProcessLogits(rules, parameters.repetition_penalty, history, absl::MakeSpan(processed));
    if (absl::Status status = CheckChoosable(processed, parameters.temperature > 0); !status.ok()) {
      return status;
    }
    chosen_from = processed;
  }
  Sampled sampled;
  sampled.chosen.token = Choose(chosen_from, parameters, position, rules);
  if (parameters.top_logprobs >= 0) {
    AddLogprobs(logits, std::min(parameters.top_logprobs, kMaxTopLogprobs), sampled);
  }
  return sampled;
}

}  // namespace terminus::models::sampling
