#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/weights/dtype.h"

namespace terminus::weights {

// A tensor somewhere in memory: row-major, little-endian. It does not own its bytes, and they may
// lie at any address: files written by others do not always align them to the element size.
struct TensorView {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;  // empty: a scalar
  absl::Span<const std::byte> data;
};

// "float32 [384, 1536]".
std::string ToString(DType dtype, absl::Span<const int64_t> shape);

// Elements [begin, end) of the first dimension, without a copy; as valid as `tensor` is.
// OUT_OF_RANGE when the range does not lie inside the dimension.
absl::StatusOr<TensorView> SliceRows(const TensorView& tensor, int64_t begin, int64_t end);

// The bytes of elements [begin, end) of dimension `dim`, packed row-major: what a tensor-parallel
// rank takes of a matrix that is split by columns. OUT_OF_RANGE as above.
absl::StatusOr<std::string> SliceCopy(const TensorView& tensor, int dim, int64_t begin,
                                      int64_t end);

}  // namespace terminus::weights
