#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "terminus/v1/tensor.pb.h"

// Vectors of the shared space as this service gets them.
namespace terminus::services::decoder::edge {

// Row-major [rows, dimension].
struct Matrix {
  int rows = 0;
  int dimension = 0;
  std::vector<float> values;

  absl::Span<const float> row(int i) const {
    return absl::MakeConstSpan(values).subspan(
        static_cast<size_t>(i) * static_cast<size_t>(dimension), static_cast<size_t>(dimension));
  }
};

// A float32 tensor [rows, dimension] of 1 to `max_rows` rows; a tensor [dimension] is one row.
// INVALID_ARGUMENT names `field`, what is there and what was expected. The values are not looked
// at.
absl::StatusOr<Matrix> ReadMatrix(const v1::Tensor& tensor, int dimension, int max_rows,
                                  absl::string_view field);

// INVALID_ARGUMENT for a vector that has no direction: not finite, or all zeros.
absl::Status CheckDirection(absl::Span<const float> vector, absl::string_view field);

// In [-1, 1]. Both have a direction and the same length.
double Cosine(absl::Span<const float> a, absl::Span<const float> b);

}  // namespace terminus::services::decoder::edge
