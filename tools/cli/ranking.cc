#include "tools/cli/ranking.h"

#include <algorithm>
#include <cmath>

namespace terminus::tools::cli {
namespace {

float Cosine(absl::Span<const float> a, absl::Span<const float> b) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa > 0 && bb > 0 ? static_cast<float>(dot / std::sqrt(aa * bb)) : 0.0f;
}

}  // namespace

std::vector<Ranked> TopK(absl::Span<const float> query,
                         const std::vector<std::vector<float>>& candidates, size_t k) {
  std::vector<Ranked> ranked;
  ranked.reserve(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].empty() && candidates[i].size() == query.size()) {
      ranked.push_back({.index = i, .score = Cosine(query, candidates[i])});
    }
  }
  k = std::min(k, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(k), ranked.end(),
                    [](const Ranked& a, const Ranked& b) {
                      return a.score != b.score ? a.score > b.score : a.index < b.index;
                    });
  ranked.resize(k);
  return ranked;
}

}  // namespace terminus::tools::cli
