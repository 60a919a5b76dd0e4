#include "models/sampling/sampler.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/sampling/arithmetic.h"
#include "models/sampling/candidates.h"

namespace terminus::models::sampling {
namespace {

absl::Status NotFinite(absl::Span<const float> logits) {
  const auto bad = std::find_if_not(logits.begin(), logits.end(), IsFinite);
  return absl::InternalError(
      absl::StrCat("the model's logit of token ", bad - logits.begin(), " is ", *bad));
}

// Orders logits as KeyOf does, where all are finite. Signed numbers are what processors compare
// several of at once.
int32_t SignedKey(float logit) {
  const auto bits = BitCast<int32_t>(logit + 0.0f);
  return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}

// The lowest id of the likeliest tokens; -1 when a logit is not finite. Reads the row once: blocks
// stay in the processor's cache.
int32_t Likeliest(absl::Span<const float> logits) {
  constexpr size_t kBlock = 1024;
  int32_t largest = std::numeric_limits<int32_t>::min();
  int32_t largest_magnitude = 0;
  absl::Span<const float> best;
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const absl::Span<const float> block = logits.subspan(begin, kBlock);
    int32_t key = std::numeric_limits<int32_t>::min();
    for (const float logit : block) {
      key = std::max(key, SignedKey(logit));
      largest_magnitude = std::max(largest_magnitude, BitCast<int32_t>(logit) & 0x7FFFFFFF);
    }
    if (key > largest) {
      largest = key;
      best = block;
    }
  }
  if (largest_magnitude >= 0x7F800000) {
    return -1;
  }
  const auto first = std::find_if(best.begin(), best.end(),
                                  [&](float logit) { return SignedKey(logit) == largest; });
  return static_cast<int32_t>(&*first - logits.data());
}

// The first token at which the sum of the weights passes a random share of the whole.
int32_t Draw(const Candidates& candidates, uint64_t random_bits) {
  const uint64_t target = DrawTarget(random_bits, Total(candidates));
  size_t i = 0;
  for (uint64_t sum = candidates.weights[0]; sum <= target; sum += candidates.weights[i]) {
    ++i;
  }
  return candidates.tokens[i];
}

void AddLogprobs(absl::Span<const float> logits, int count, Sampled& sampled) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  const double scale = WeightScale(1);
  uint64_t sum = 0;
  for (const float logit : logits) {
    sum += Weight(logit, largest, scale);
  }
  const double log_sum = LogOfSum(sum, largest);
  const auto logprob = [&](int32_t token) {
    return static_cast<float>(logits[static_cast<size_t>(token)] - log_sum);
  };
  sampled.chosen.logprob = logprob(sampled.chosen.token);
  if (count == 0) {
    return;
  }
  std::vector<int32_t> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), 0);
  const auto end = tokens.begin() + std::min<int64_t>(count, static_cast<int64_t>(tokens.size()));
  std::partial_sort(tokens.begin(), end, tokens.end(), Likelier{logits});
  for (auto token = tokens.begin(); token != end; ++token) {
    sampled.top.push_back({*token, logprob(*token)});
  }
}

// Returns the logits to choose from, after all rules. A logit of -inf is excluded.
absl::StatusOr<std::vector<float>> Process(absl::Span<const float> logits,
                                           const Parameters& parameters, const LogitRules& rules,
                                           const History& history, const uint32_t* mask) {
  std::vector<float> processed(logits.begin(), logits.end());
  ProcessLogits(rules, parameters, history, absl::MakeSpan(processed));
  if (mask != nullptr) {
    ApplyMask(mask, absl::MakeSpan(processed));
  }
  if (absl::Status status = CheckChoosable(processed, parameters.temperature > 0); !status.ok()) {
    return status;
  }
  return processed;
}

}  // namespace

absl::StatusOr<Sampled> Sample(absl::Span<const float> logits, const Parameters& parameters,
                               uint64_t position, const LogitRules& rules, const History& history,
                               const uint32_t* mask) {
  if (logits.empty() || logits.size() > static_cast<size_t>(kMaxVocabulary)) {
    return absl::InternalError(
        absl::StrCat("the model gave ", logits.size(), " logits, expected 1 to ", kMaxVocabulary));
  }
  const int32_t likeliest = Likeliest(logits);
  if (likeliest < 0) {
    return NotFinite(logits);
  }
  std::vector<float> processed;
  const bool changes = mask != nullptr || ChangesLogits(rules, parameters);
  if (changes) {
    absl::StatusOr<std::vector<float>> left = Process(logits, parameters, rules, history, mask);
    if (!left.ok()) {
      return left.status();
    }
    processed = *std::move(left);
  }
  const absl::Span<const float> chosen_from = changes ? processed : logits;
  Sampled sampled;
  if (parameters.temperature > 0) {
    const Shape shape = {.temperature = parameters.temperature,
                         .top_k = parameters.top_k,
                         .top_p = parameters.top_p,
                         .min_p = parameters.min_p};
    sampled.chosen.token = Draw(FindCandidates(chosen_from, shape, rules),
                                UniformBits(parameters.seed, parameters.choice, position));
  } else {
    // An infinite bias may have made a token infinitely likely: Likeliest is for finite logits.
    sampled.chosen.token =
        changes ? static_cast<int32_t>(std::max_element(chosen_from.begin(), chosen_from.end()) -
                                       chosen_from.begin())
                : likeliest;
  }
  if (parameters.top_logprobs >= 0) {
    AddLogprobs(logits, std::min(parameters.top_logprobs, kMaxTopLogprobs), sampled);
  }
  return sampled;
}

}  // namespace terminus::models::sampling
