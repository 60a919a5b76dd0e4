#include "models/sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

double Total(const Candidates& candidates) {
  return std::accumulate(candidates.weights.begin(), candidates.weights.end(), 0.0);
}

// In nats.
double Entropy(const Candidates& candidates) {
  const double total = Total(candidates);
  double entropy = 0;
  for (const double weight : candidates.weights) {
    const double p = weight / total;
    entropy -= p > 0 ? p * std::log(p) : 0;
  }
  return entropy;
}

// Likeliest first; of equal ones the lower id.
std::vector<size_t> ByWeight(const Candidates& candidates) {
  std::vector<size_t> order(candidates.tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double x = candidates.weights[a];
    const double y = candidates.weights[b];
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
  const double total = Total(top);
  const double limit = Entropy(top) * top_h;
  std::vector<bool> kept(candidates.tokens.size(), false);
  double entropy = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double p = top.weights[rank] / total;
    if (!(p > 0)) {
      break;
    }
    entropy -= p * std::log(p);
    kept[order[rank]] = rank == 0 || entropy <= limit;
  }
  Filter([&](size_t i) { return kept[i]; }, candidates);
}

// Tokens as likely as the last of the k stay too.
void KeepTopK(absl::Span<const float> logits, size_t k, std::vector<int32_t>& tokens) {
  const Likelier likelier{logits};
  const auto end = tokens.begin() + static_cast<int64_t>(k);
  std::partial_sort(tokens.begin(), end, tokens.end(), likelier);
  const float least = Logit(logits, *(end - 1));
  const auto ties = std::partition(end, tokens.end(),
                                   [&](int32_t token) { return Logit(logits, token) == least; });
  std::sort(end, ties, likelier);
  tokens.erase(ties, tokens.end());
}

// Of equally likely tokens the higher id stays, as in the reference.
void KeepTopP(absl::Span<const float> logits, double share, Candidates& candidates) {
  const double total = Total(candidates);
  // A heap with the likeliest on top: mostly few are taken from it, so a full sort would be waste.
  std::vector<size_t> heap(candidates.tokens.size());
  std::iota(heap.begin(), heap.end(), 0);
  const auto less = [&](size_t a, size_t b) {
    const float x = Logit(logits, candidates.tokens[a]);
    const float y = Logit(logits, candidates.tokens[b]);
    return x < y || (x == y && candidates.tokens[a] < candidates.tokens[b]);
  };
  std::make_heap(heap.begin(), heap.end(), less);
  auto end = heap.end();
  double sum = 0;
  Candidates best;
  while (end != heap.begin() && (best.tokens.empty() || sum < share * total)) {
    std::pop_heap(heap.begin(), end, less);
    --end;
    best.tokens.push_back(candidates.tokens[*end]);
    best.weights.push_back(candidates.weights[*end]);
    sum += candidates.weights[*end];
  }
  candidates = std::move(best);
}

// Drops what is less likely than `least`, but for the likeliest.
void DropBelow(double least, Candidates& candidates) {
  const double total = Total(candidates);
  const double most = *std::max_element(candidates.weights.begin(), candidates.weights.end());
  Filter(
      [&](size_t i) {
        const double weight = candidates.weights[i];
        return weight == most || weight / total >= least;
      },
      candidates);
}

// Meister et al., "Locally Typical Sampling", 2022.
void KeepTypical(double mass, Candidates& candidates) {
  const double total = Total(candidates);
  const double entropy = Entropy(candidates);
  // By how much a token's information differs from the expected; infinite for one that never comes.
  std::vector<double> distance;
  for (const double weight : candidates.weights) {
    distance.push_back(std::abs(-std::log(weight / total) - entropy));
  }
  std::vector<size_t> order(distance.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return distance[a] < distance[b] ||
           (distance[a] == distance[b] && candidates.tokens[a] < candidates.tokens[b]);
  });
  double sum = 0;
  size_t last = 0;
  while (last + 1 < order.size() && (sum += candidates.weights[order[last]]) < mass * total) {
    ++last;
  }
  const double furthest = distance[order[last]];
  Filter([&](size_t i) { return distance[i] <= furthest; }, candidates);
}

// Hewitt et al., "Truncation Sampling as Language Model Desmoothing", 2022.
void KeepEta(double epsilon, Candidates& candidates) {
  DropBelow(std::min(epsilon, std::sqrt(epsilon) * std::exp(-Entropy(candidates))), candidates);
}

Candidates All(absl::Span<const float> logits, float largest, float temperature) {
  Candidates all;
  all.tokens.resize(logits.size());
  std::iota(all.tokens.begin(), all.tokens.end(), 0);
  all.weights.reserve(logits.size());
  for (const float logit : logits) {
    // Not normalised: relative to the likeliest token's.
    all.weights.push_back(std::exp((double{logit} - largest) / temperature));
  }
  return all;
}

void CutToTopK(absl::Span<const float> logits, size_t k, Candidates& candidates) {
  if (k == 0 || k >= candidates.tokens.size()) {
    return;
  }
  std::vector<double> weight_of(logits.size(), 0);
  for (size_t i = 0; i < candidates.tokens.size(); ++i) {
    weight_of[static_cast<size_t>(candidates.tokens[i])] = candidates.weights[i];
  }
  KeepTopK(logits, k, candidates.tokens);
  candidates.weights.clear();
  for (const int32_t token : candidates.tokens) {
    candidates.weights.push_back(weight_of[static_cast<size_t>(token)]);
  }
}

}  // namespace

Candidates FindCandidates(absl::Span<const float> logits, const Shape& shape,
                          const LogitRules& rules) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  Candidates candidates = All(logits, largest, shape.temperature);
  if (rules.top_h > 0) {
    KeepTopH(rules.top_h, candidates);
  }
  CutToTopK(logits, shape.top_k, candidates);
  if (shape.top_p < 1) {
    KeepTopP(logits, shape.top_p, candidates);
  }
  if (shape.min_p > 0) {
    const double least = shape.min_p;
    // The likeliest token's weight is 1.
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
