#include "services/decoder/edge/vectors.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tensor/tensor.h"

namespace terminus::services::decoder::edge {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return base::FieldError(base::kReasonInvalidRequest, field, message);
}

double Norm(absl::Span<const float> vector) {
  double sum = 0;
  for (const float value : vector) {
    sum += double{value} * value;
  }
  return std::sqrt(sum);
}

}  // namespace

absl::StatusOr<Matrix> ReadMatrix(const v1::Tensor& tensor, int dimension, int max_rows,
                                  absl::string_view field) {
  if (tensor.dtype() != v1::DATA_TYPE_FLOAT32) {
    return Invalid(field, absl::StrCat("dtype ", static_cast<int>(tensor.dtype()),
                                       ", expected DATA_TYPE_FLOAT32"));
  }
  const int dimensions = tensor.shape_size();
  const int64_t rows = dimensions == 1 ? 1 : dimensions == 2 ? tensor.shape(0) : 0;
  if (rows < 1 || rows > max_rows || tensor.shape(dimensions - 1) != dimension) {
    return Invalid(field, absl::StrCat("shape [", absl::StrJoin(tensor.shape(), ", "),
                                       "], expected [1 to ", max_rows, ", ", dimension, "]"));
  }
  absl::StatusOr<std::vector<float>> values = tensor::ToFloats(tensor);
  if (!values.ok()) {
    return Invalid(field, values.status().message());
  }
  return Matrix{
      .rows = static_cast<int>(rows), .dimension = dimension, .values = *std::move(values)};
}

absl::Status CheckDirection(absl::Span<const float> vector, absl::string_view field) {
  bool any = false;
  for (const float value : vector) {
    if (!std::isfinite(value)) {
      return Invalid(field, "the vector holds values that are not finite");
    }
    any = any || value != 0;
  }
  return any ? absl::OkStatus() : Invalid(field, "the vector is all zeros");
}

double Cosine(absl::Span<const float> a, absl::Span<const float> b) {
  double dot = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
  }
  return std::clamp(dot / (Norm(a) * Norm(b)), -1.0, 1.0);
}

}  // namespace terminus::services::decoder::edge
