#include "common/weights/dtype.h"

#include <iterator>

namespace terminus::weights {
namespace {

struct Row {
  DType dtype;
  size_t size;
  absl::string_view name;
  absl::string_view safetensors_name;
};

// In the order of the enum, which indexes it.
constexpr Row kRows[] = {
    {DType::kBool, 1, "bool", "BOOL"},
    {DType::kUInt8, 1, "uint8", "U8"},
    {DType::kInt8, 1, "int8", "I8"},
    {DType::kFloat8E4M3, 1, "float8_e4m3", "F8_E4M3"},
    {DType::kFloat8E5M2, 1, "float8_e5m2", "F8_E5M2"},
    {DType::kFloat8E4M3Fnuz, 1, "float8_e4m3fnuz", "F8_E4M3FNUZ"},
    {DType::kFloat8E5M2Fnuz, 1, "float8_e5m2fnuz", "F8_E5M2FNUZ"},
    {DType::kFloat8E8M0, 1, "float8_e8m0", "F8_E8M0"},
    {DType::kInt16, 2, "int16", "I16"},
    {DType::kUInt16, 2, "uint16", "U16"},
    {DType::kFloat16, 2, "float16", "F16"},
    {DType::kBFloat16, 2, "bfloat16", "BF16"},
    {DType::kInt32, 4, "int32", "I32"},
    {DType::kUInt32, 4, "uint32", "U32"},
    {DType::kFloat32, 4, "float32", "F32"},
    {DType::kInt64, 8, "int64", "I64"},
    {DType::kUInt64, 8, "uint64", "U64"},
    {DType::kFloat64, 8, "float64", "F64"},
    {DType::kComplex64, 8, "complex64", "C64"},
};

constexpr bool RowsFollowEnum() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (static_cast<size_t>(kRows[i].dtype) != i) return false;
  }
  return true;
}
static_assert(RowsFollowEnum());

const Row& RowOf(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

size_t ElementSize(DType dtype) { return RowOf(dtype).size; }

absl::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

absl::string_view SafetensorsName(DType dtype) { return RowOf(dtype).safetensors_name; }

absl::optional<DType> DTypeFromSafetensorsName(absl::string_view name) {
  for (const Row& row : kRows) {
    if (row.safetensors_name == name) return row.dtype;
  }
  return absl::nullopt;
}

absl::string_view SafetensorsNames() {
  return "BOOL, U8, I8, F8_E4M3, F8_E5M2, F8_E4M3FNUZ, F8_E5M2FNUZ, F8_E8M0, I16, U16, F16, BF16, "
         "I32, U32, F32, I64, U64, F64, C64";
}

}  // namespace terminus::weights
