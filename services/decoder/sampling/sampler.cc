#include "services/decoder/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "services/decoder/sampling/philox.h"

namespace terminus::services::decoder::sampling {
namespace {

// Orders tokens by logit, likeliest first, ties by id.
struct Likelier {
  absl::Span<const float> logits;
  bool operator()(int32_t a, int32_t b) const {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  }
};

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

// Cuts `tokens`, and their weights, to the fewest likeliest that make up `share` of the sum.
void KeepTopP(absl::Span<const float> logits, const std::vector<double>& weight_of, double share,
              std::vector<int32_t>& tokens) {
  double total = 0;
  for (const int32_t token : tokens) {
    total += weight_of[static_cast<size_t>(token)];
  }
  // A heap with the likeliest on top: mostly few are taken from it, so a full sort would be waste.
  const auto less = [likelier = Likelier{logits}](int32_t a, int32_t b) { return likelier(b, a); };
  std::make_heap(tokens.begin(), tokens.end(), less);
  auto end = tokens.end();
  double kept = 0;
  std::vector<int32_t> best;
  while (end != tokens.begin() && (best.empty() || kept < share * total)) {
    std::pop_heap(tokens.begin(), end, less);
    --end;
    best.push_back(*end);
    kept += weight_of[static_cast<size_t>(*end)];
  }
  tokens = std::move(best);
}

int32_t Draw(absl::Span<const float> logits, float largest, const Parameters& parameters,
             uint64_t position) {
  std::vector<int32_t> tokens = AllTokens(logits);
  if (parameters.top_k > 0 && parameters.top_k < tokens.size()) {
    std::partial_sort(tokens.begin(), tokens.begin() + parameters.top_k, tokens.end(),
                      Likelier{logits});
    tokens.resize(parameters.top_k);
  }
  // Not normalised: relative to the likeliest token's.
  std::vector<double> weight_of(logits.size(), 0);
  for (const int32_t token : tokens) {
    const auto i = static_cast<size_t>(token);
    weight_of[i] = std::exp((double{logits[i]} - largest) / parameters.temperature);
  }
  if (parameters.top_p < 1) {
    KeepTopP(logits, weight_of, parameters.top_p, tokens);
  }
  double total = 0;
  for (const int32_t token : tokens) {
    total += weight_of[static_cast<size_t>(token)];
  }
  const double target = Uniform(parameters.seed, parameters.choice, position) * total;
  double sum = 0;
  int32_t last = tokens.front();
  for (const int32_t token : tokens) {
    const double weight = weight_of[static_cast<size_t>(token)];
    if (weight == 0) {
      continue;
    }
    last = token;
    sum += weight;
    if (target < sum) {
      break;
    }
  }
  return last;  // The sum may end a rounding error below the target.
}

void AddLogprobs(absl::Span<const float> logits, float largest, int count, Sampled& sampled) {
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
                               uint64_t position) {
  if (absl::Status status = CheckFinite(logits); !status.ok()) {
    return status;
  }
  const auto likeliest = std::max_element(logits.begin(), logits.end());
  Sampled sampled;
  sampled.chosen.token = parameters.temperature == 0
                             ? static_cast<int32_t>(likeliest - logits.begin())
                             : Draw(logits, *likeliest, parameters, position);
  if (parameters.top_logprobs >= 0) {
    AddLogprobs(logits, *likeliest, std::min(parameters.top_logprobs, kMaxTopLogprobs), sampled);
  }
  return sampled;
}

}  // namespace terminus::services::decoder::sampling
