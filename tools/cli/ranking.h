#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace terminus::tools::cli {

struct Ranked {
  // Place among the candidates.
  size_t index = 0;
  // Cosine of the two vectors.
  float score = 0;
};

// The `k` candidates most similar to the query, best first; ties in their own order. Candidates
// that have no vector (empty), or one of another length than the query's, are left out.
std::vector<Ranked> TopK(absl::Span<const float> query,
                         const std::vector<std::vector<float>>& candidates, size_t k);

}  // namespace terminus::tools::cli
