#include "common/weights/tensor_view.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace terminus::weights {
namespace {

absl::Status CheckRange(const TensorView& tensor, int dim, int64_t begin, int64_t end) {
  const int rank = static_cast<int>(tensor.shape.size());
  if (dim < 0 || dim >= rank) {
    return absl::OutOfRangeError(
        absl::StrCat("slice of dimension ", dim, " of ", ToString(tensor.dtype, tensor.shape)));
  }
  if (begin < 0 || begin > end || end > tensor.shape[dim]) {
    return absl::OutOfRangeError(absl::StrCat("slice [", begin, ", ", end, ") of dimension ", dim,
                                              " of ", ToString(tensor.dtype, tensor.shape)));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ToString(DType dtype, absl::Span<const int64_t> shape) {
  const absl::string_view name = DTypeName(dtype);
  return absl::StrCat(name, " [", absl::StrJoin(shape, ", "), "]");
}

absl::StatusOr<TensorView> SliceRows(const TensorView& tensor, int64_t begin, int64_t end) {
  TERMINUS_RETURN_IF_ERROR(CheckRange(tensor, 0, begin, end));
  const int64_t rows = tensor.shape[0];
  const size_t row_bytes = rows == 0 ? 0 : tensor.data.size() / rows;
  TensorView slice = tensor;
  slice.shape[0] = end - begin;
  slice.data = tensor.data.subspan(begin * row_bytes, (end - begin) * row_bytes);
  return slice;
}

absl::StatusOr<std::string> SliceCopy(const TensorView& tensor, int dim, int64_t begin,
                                      int64_t end) {
  TERMINUS_RETURN_IF_ERROR(CheckRange(tensor, dim, begin, end));
  std::string copy;
  if (tensor.data.empty()) return copy;
  size_t inner_bytes = ElementSize(tensor.dtype);
  for (size_t i = dim + 1; i < tensor.shape.size(); ++i) inner_bytes *= tensor.shape[i];
  const size_t stride = inner_bytes * tensor.shape[dim];
  const size_t length = inner_bytes * (end - begin);
  copy.reserve(tensor.data.size() / stride * length);
  for (size_t at = begin * inner_bytes; at < tensor.data.size(); at += stride) {
    copy.append(reinterpret_cast<const char*>(tensor.data.data()) + at, length);
  }
  return copy;
}

}  // namespace terminus::weights
