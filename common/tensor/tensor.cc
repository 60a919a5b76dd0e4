#include "common/tensor/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/tensor/half.h"

namespace terminus::tensor {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors travel little-endian");

// 0 for a type that this build does not know.
int BitsOf(v1::DataType dtype) {
  switch (dtype) {
    case v1::DATA_TYPE_FLOAT32:
    case v1::DATA_TYPE_INT32:
      return 32;
    case v1::DATA_TYPE_FLOAT16:
    case v1::DATA_TYPE_BFLOAT16:
      return 16;
    case v1::DATA_TYPE_INT8:
    case v1::DATA_TYPE_UINT8:
      return 8;
    case v1::DATA_TYPE_INT64:
      return 64;
    case v1::DATA_TYPE_BIT:
      return 1;
    default:
      return 0;
  }
}

template <typename T, typename Convert>
std::vector<float> Unpack(const std::string& data, int64_t count, Convert convert) {
  std::vector<float> out(count);
  for (int64_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, data.data() + i * sizeof(T), sizeof(T));
    out[i] = convert(element);
  }
  return out;
}

template <typename T>
float Cast(T element) {
  return static_cast<float>(element);
}

template <typename T, typename Convert>
std::string Pack(absl::Span<const float> values, Convert convert) {
  std::string data(values.size() * sizeof(T), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const T element = convert(values[i]);
    std::memcpy(data.data() + i * sizeof(T), &element, sizeof(T));
  }
  return data;
}

std::string PackInt8(absl::Span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::abs(value));
  }
  const float scale = largest > 0 ? 127 / largest : 0;
  return Pack<int8_t>(
      values, [scale](float value) { return static_cast<int8_t>(std::lround(value * scale)); });
}

std::string PackBits(absl::Span<const float> values) {
  std::string data((values.size() + 7) / 8, '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] > 0) {
      data[i / 8] = static_cast<char>(data[i / 8] | 0x80 >> i % 8);
    }
  }
  return data;
}

}  // namespace

absl::StatusOr<int64_t> ElementCount(const v1::Tensor& tensor) {
  const int bits = BitsOf(tensor.dtype());
  if (bits == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("dtype ", static_cast<int>(tensor.dtype()), " is not a known one"));
  }
  if (tensor.shape_size() > kMaxDimensions) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape has ", tensor.shape_size(), " dimensions, at most ", kMaxDimensions));
  }
  constexpr int64_t kMaxElements = std::numeric_limits<int64_t>::max() / 64;
  int64_t count = 1;
  for (const int64_t size : tensor.shape()) {
    if (size < 0 || (size > 0 && count > kMaxElements / size)) {
      return absl::InvalidArgumentError(absl::StrCat("shape has a dimension of ", size,
                                                     size < 0 ? "" : ": too many elements in all"));
    }
    count *= size;
  }
  const int64_t bytes = (count * bits + 7) / 8;
  if (static_cast<int64_t>(tensor.data().size()) != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("data has ", tensor.data().size(),
                                                   " bytes, its dtype and shape make ", bytes));
  }
  return count;
}

absl::StatusOr<std::vector<float>> ToFloats(const v1::Tensor& tensor) {
  TERMINUS_ASSIGN_OR_RETURN(const int64_t count, ElementCount(tensor));
  const std::string& data = tensor.data();
  switch (tensor.dtype()) {
    case v1::DATA_TYPE_FLOAT32:
      return Unpack<float>(data, count, Cast<float>);
    case v1::DATA_TYPE_FLOAT16:
      return Unpack<uint16_t>(data, count, HalfToFloat);
    case v1::DATA_TYPE_BFLOAT16:
      return Unpack<uint16_t>(data, count, Bfloat16ToFloat);
    case v1::DATA_TYPE_INT8:
      return Unpack<int8_t>(data, count, Cast<int8_t>);
    case v1::DATA_TYPE_UINT8:
      return Unpack<uint8_t>(data, count, Cast<uint8_t>);
    case v1::DATA_TYPE_INT32:
      return Unpack<int32_t>(data, count, Cast<int32_t>);
    case v1::DATA_TYPE_INT64:
      return Unpack<int64_t>(data, count, Cast<int64_t>);
    default:
      break;
  }
  std::vector<float> out(count);
  for (int64_t i = 0; i < count; ++i) {
    out[i] = (data[i / 8] & 0x80 >> i % 8) != 0 ? 1.0f : -1.0f;
  }
  return out;
}

absl::StatusOr<std::vector<float>> ReadVector(const v1::Tensor& tensor, int dimension) {
  if (tensor.shape_size() != 1 || tensor.shape(0) != dimension) {
    return absl::InvalidArgumentError(absl::StrCat("a vector of the space has shape [", dimension,
                                                   "], not [", absl::StrJoin(tensor.shape(), ", "),
                                                   "]"));
  }
  if (tensor.dtype() != v1::DATA_TYPE_FLOAT32 && tensor.dtype() != v1::DATA_TYPE_FLOAT16 &&
      tensor.dtype() != v1::DATA_TYPE_BFLOAT16) {
    return absl::InvalidArgumentError("a vector of the space is FLOAT32, FLOAT16 or BFLOAT16");
  }
  TERMINUS_ASSIGN_OR_RETURN(std::vector<float> values, ToFloats(tensor));
  bool all_zero = true;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " is not finite"));
    }
    all_zero = all_zero && values[i] == 0;
  }
  if (all_zero) {
    return absl::InvalidArgumentError("all elements are zero: such a vector has no direction");
  }
  return values;
}

absl::StatusOr<v1::Tensor> Quantize(absl::Span<const float> values, v1::DataType dtype) {
  v1::Tensor tensor;
  switch (dtype) {
    case v1::DATA_TYPE_UNSPECIFIED:
    case v1::DATA_TYPE_FLOAT32:
      return FromFloats(values);
    case v1::DATA_TYPE_FLOAT16:
      tensor.set_data(Pack<uint16_t>(values, FloatToHalf));
      break;
    case v1::DATA_TYPE_BFLOAT16:
      tensor.set_data(Pack<uint16_t>(values, FloatToBfloat16));
      break;
    case v1::DATA_TYPE_INT8:
      tensor.set_data(PackInt8(values));
      break;
    case v1::DATA_TYPE_BIT:
      tensor.set_data(PackBits(values));
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("dtype ", static_cast<int>(dtype),
                       ": vectors come as FLOAT32, FLOAT16, BFLOAT16, INT8 or BIT"));
  }
  tensor.set_dtype(dtype);
  tensor.add_shape(static_cast<int64_t>(values.size()));
  return tensor;
}

v1::Tensor FromFloats(absl::Span<const float> values) {
  v1::Tensor tensor;
  tensor.set_dtype(v1::DATA_TYPE_FLOAT32);
  tensor.add_shape(static_cast<int64_t>(values.size()));
  tensor.set_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

void Normalize(absl::Span<float> values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * value;
  }
  if (sum == 0) {
    return;
  }
  const double scale = 1 / std::sqrt(sum);
  for (float& value : values) {
    value = static_cast<float>(value * scale);
  }
}

}  // namespace terminus::tensor
