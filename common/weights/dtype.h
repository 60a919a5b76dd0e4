#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::weights {

// Element types that the safetensors format knows, but for those of less than a byte.
enum class DType {
  kBool,
  kUInt8,
  kInt8,
  kFloat8E4M3,
  kFloat8E5M2,
  kFloat8E4M3Fnuz,
  kFloat8E5M2Fnuz,
  kFloat8E8M0,
  kInt16,
  kUInt16,
  kFloat16,
  kBFloat16,
  kInt32,
  kUInt32,
  kFloat32,
  kInt64,
  kUInt64,
  kFloat64,
  kComplex64,
};

// Bytes of one element.
size_t ElementSize(DType dtype);

// The name people use, such as "float32".
absl::string_view DTypeName(DType dtype);

// The name in a safetensors header, such as "F32".
absl::string_view SafetensorsName(DType dtype);

// The type of a safetensors name; nothing for a name that is not known.
absl::optional<DType> DTypeFromSafetensorsName(absl::string_view name);

// All safetensors names, separated by commas, for error messages.
absl::string_view SafetensorsNames();

}  // namespace terminus::weights
