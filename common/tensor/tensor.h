#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "terminus/v1/tensor.pb.h"

// Tensors as they travel, to and from plain floats. No torch here: the router links this too.
namespace terminus::tensor {

inline constexpr int kMaxDimensions = 8;

// Elements of a tensor whose dtype is known, whose shape is in bounds and whose data is as long
// as both say. Otherwise INVALID_ARGUMENT, saying what was expected.
absl::StatusOr<int64_t> ElementCount(const v1::Tensor& tensor);

// Its elements as floats, row-major: FLOAT32, FLOAT16, BFLOAT16, INT8, UINT8, INT32, INT64 as they
// are, BIT as 1 and -1.
absl::StatusOr<std::vector<float>> ToFloats(const v1::Tensor& tensor);

// A vector that a client sent: floating point, shape [dimension], finite, not all zero.
absl::StatusOr<std::vector<float>> ReadVector(const v1::Tensor& tensor, int dimension);

// A tensor of shape [values.size()], or INVALID_ARGUMENT for a dtype that vectors do not come in.
//   FLOAT32   as they are (also for DATA_TYPE_UNSPECIFIED)
//   FLOAT16, BFLOAT16   rounded to nearest, ties to even
//   INT8      scaled so that the largest magnitude is 127, rounded
//   BIT       1 where an element is above 0; the last byte is filled up with 0
absl::StatusOr<v1::Tensor> Quantize(absl::Span<const float> values, v1::DataType dtype);

// A FLOAT32 tensor of shape [values.size()].
v1::Tensor FromFloats(absl::Span<const float> values);

// Scales to length 1; all zeros stay as they are.
void Normalize(absl::Span<float> values);

}  // namespace terminus::tensor
