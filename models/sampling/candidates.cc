#include "models/sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "models/sampling/arithmetic.h"

namespace terminus::models::sampling {
namespace {

// The reference looks no further down for its entropy.
constexpr size_t kTopHTokens = 100;

float Logit(absl::Span<const float> logits, int32_t token) {
  return logits[static_cast<size_t>(token)];
}

// Keeps those that `keep` says of, by index, and their order.
template <class Keep>
void Filter(const Keep& keep, Candidates& candidates) {
  size_t kept = 0;
  for (size_t i = 0; i < candidates.tokens.size(); ++i) {
    if (keep(i)) {
      candidates.tokens[kept] = candidates.tokens[i];
      candidates.weights[kept] = candidates.weights[i];
      ++kept;
    }
  }
  candidates.tokens.resize(kept);
  candidates.weights.resize(kept);
}

// Converts a weight for the filters that compute entropy, which is not exact in any case.
double Real(uint64_t weight) { return static_cast<double>(weight); }

// In nats.
double Entropy(const Candidates& candidates) {
  const double total = Real(Total(candidates));
  double entropy = 0;
  for (const uint64_t weight : candidates.weights) {
    const double p = Real(weight) / total;
    entropy -= p > 0 ? p * std::log(p) : 0;
  }
  return entropy;
}

// Likeliest first; of equal ones the lower id.
std::vector<size_t> ByWeight(const Candidates& candidates) {
  std::vector<size_t> order(candidates.tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const uint64_t x = candidates.weights[a];
    const uint64_t y = candidates.weights[b];
    return x > y || (x == y && candidates.tokens[a] < candidates.tokens[b]);
  });
  return order;
}

// Baghaei Potraghloo et al., "Top-H Decoding", 2025.
void KeepTopH(double top_h, Candidates& candidates) {
  std::vector<size_t> order = ByWeight(candidates);
  order.resize(std::min(order.size(), kTopHTokens));
  Candidates top;
  for (const size_t i : order) {
    top.tokens.push_back(candidates.tokens[i]);
    top.weights.push_back(candidates.weights[i]);
  }
  const double total = Real(Total(top));
  const double limit = Entropy(top) * top_h;
  std::vector<bool> kept(candidates.tokens.size(), false);
  double entropy = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double p = Real(top.weights[rank]) / total;
    if (!(p > 0)) {
      break;
    }
    entropy -= p * std::log(p);
    kept[order[rank]] = rank == 0 || entropy <= limit;
  }
  Filter([&](size_t i) { return kept[i]; }, candidates);
}

// Minus infinity where all are among the k largest.
float KthLargest(absl::Span<const float> logits, size_t k) {
  if (k == 0 || k >= logits.size()) {
    return -std::numeric_limits<float>::infinity();
  }
  std::vector<float> largest(k);
  std::partial_sort_copy(logits.begin(), logits.end(), largest.begin(), largest.end(),
                         std::greater<>());
  return largest.back();
}

// Of equally likely tokens the higher id stays, as in the reference.
void KeepTopP(absl::Span<const float> logits, float share, Candidates& candidates) {
  const uint64_t least = ShareOf(share, Total(candidates));
  // A heap with the likeliest on top: mostly few are taken from it, so a full sort would be waste.
  std::vector<size_t> heap(candidates.tokens.size());
  std::iota(heap.begin(), heap.end(), 0);
  const auto less = [&](size_t a, size_t b) {
    const float x = Logit(logits, candidates.tokens[a]);
    const float y = Logit(logits, candidates.tokens[b]);
    return x < y || (x == y && candidates.tokens[a] < candidates.tokens[b]);
  };
  std::make_heap(heap.begin(), heap.end(), less);
  std::vector<bool> kept(heap.size(), false);
  uint64_t sum = 0;
  for (auto end = heap.end(); sum < least; --end) {
    std::pop_heap(heap.begin(), end, less);
    kept[*(end - 1)] = true;
    sum += candidates.weights[*(end - 1)];
  }
  Filter([&](size_t i) { return kept[i]; }, candidates);
}

// Drops what is less likely than `least`, but for the likeliest.
void DropBelow(double least, Candidates& candidates) {
  const double total = Real(Total(candidates));
  const uint64_t most = *std::max_element(candidates.weights.begin(), candidates.weights.end());
  Filter(
      [&](size_t i) {
        const uint64_t weight = candidates.weights[i];
        return weight == most || Real(weight) / total >= least;
      },
      candidates);
}

// Meister et al., "Locally Typical Sampling", 2022.
void KeepTypical(double mass, Candidates& candidates) {
  const double total = Real(Total(candidates));
  const double entropy = Entropy(candidates);
  // By how much a token's information differs from the expected; infinite for one that never comes.
  std::vector<double> distance;
  for (const uint64_t weight : candidates.weights) {
    distance.push_back(std::abs(-std::log(Real(weight) / total) - entropy));
  }
  std::vector<size_t> order(distance.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return distance[a] < distance[b] ||
           (distance[a] == distance[b] && candidates.tokens[a] < candidates.tokens[b]);
  });
  double sum = 0;
  size_t last = 0;
  while (last + 1 < order.size() && (sum += Real(candidates.weights[order[last]])) < mass * total) {
    ++last;
  }
  const double furthest = distance[order[last]];
  Filter([&](size_t i) { return distance[i] <= furthest; }, candidates);
}

// Hewitt et al., "Truncation Sampling as Language Model Desmoothing", 2022.
void KeepEta(double epsilon, Candidates& candidates) {
  DropBelow(std::min(epsilon, std::sqrt(epsilon) * std::exp(-Entropy(candidates))), candidates);
}

// The tokens whose logit is at least `least`.
Candidates AtLeast(float least, absl::Span<const float> logits, float temperature) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  const double scale = WeightScale(temperature);
  Candidates candidates;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= least) {
      candidates.tokens.push_back(static_cast<int32_t>(i));
    }
  }
  candidates.weights.resize(candidates.tokens.size());
  for (size_t i = 0; i < candidates.tokens.size(); ++i) {
    candidates.weights[i] = Weight(Logit(logits, candidates.tokens[i]), largest, scale);
  }
  return candidates;
}

// Tokens as likely as the last of the k stay too.
void KeepTopK(absl::Span<const float> logits, size_t k, Candidates& candidates) {
  std::vector<float> left;
  for (const int32_t token : candidates.tokens) {
    left.push_back(Logit(logits, token));
  }
  const float least = KthLargest(left, k);
  Filter([&](size_t i) { return left[i] >= least; }, candidates);
}

}  // namespace

uint64_t Total(const Candidates& candidates) {
  return std::accumulate(candidates.weights.begin(), candidates.weights.end(), uint64_t{0});
}

Candidates FindCandidates(absl::Span<const float> logits, const Shape& shape,
                          const LogitRules& rules) {
  Candidates candidates;
  if (rules.top_h > 0) {
    candidates = AtLeast(KthLargest(logits, 0), logits, shape.temperature);
    KeepTopH(rules.top_h, candidates);
    KeepTopK(logits, shape.top_k, candidates);
  } else {
    // Before there are weights: an exponential for each token is most of the work.
    candidates = AtLeast(KthLargest(logits, shape.top_k), logits, shape.temperature);
  }
  if (shape.top_p < 1) {
    KeepTopP(logits, shape.top_p, candidates);
  }
  if (shape.min_p > 0) {
    const uint64_t least = LeastWeight(shape.min_p);
    Filter([&](size_t i) { return candidates.weights[i] >= least; }, candidates);
  }
  if (rules.typical_p < 1) {
    KeepTypical(rules.typical_p, candidates);
  }
  if (rules.epsilon_cutoff > 0 && rules.epsilon_cutoff < 1) {
    DropBelow(rules.epsilon_cutoff, candidates);
  }
  if (rules.eta_cutoff > 0 && rules.eta_cutoff < 1) {
    KeepEta(rules.eta_cutoff, candidates);
  }
  return candidates;
}

}  // namespace terminus::models::sampling
