#include "models/decoder/cuda/tensor_map.h"

#include <cuda_runtime_api.h>

#include "models/decoder/cuda/memory.h"

namespace terminus::models::decoder::cuda {
namespace {

CUtensorMap Map(const Bf16* data, int dimensions, const cuuint64_t* sizes,
                const cuuint64_t* strides, const cuuint32_t* box) {
  using Encode = decltype(&cuTensorMapEncodeTiled);
  void* symbol = nullptr;
  cudaDriverEntryPointQueryResult found;
  Check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &symbol, 12000,
                                         cudaEnableDefault, &found),
        "cuTensorMapEncodeTiled");
  const cuuint32_t steps[4] = {1, 1, 1, 1};
  CUtensorMap map;
  const CUresult result = reinterpret_cast<Encode>(symbol)(
      &map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, dimensions, const_cast<Bf16*>(data), sizes, strides,
      box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw CudaError(cudaErrorInvalidValue, "cuTensorMapEncodeTiled");
  }
  return map;
}

}  // namespace

CUtensorMap MapMatrix(const Bf16* data, int64_t rows, int64_t columns, int box_rows) {
  const cuuint64_t row_bytes = static_cast<cuuint64_t>(columns) * sizeof(Bf16);
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const cuuint32_t box[2] = {kMapColumns, static_cast<cuuint32_t>(box_rows)};
  return Map(data, 2, sizes, &row_bytes, box);
}

// Rows as [blocks of eight, gate or up, eight].
CUtensorMap MapGated(const Bf16* data, int64_t rows, int64_t columns, int box_rows) {
  const cuuint64_t row_bytes = static_cast<cuuint64_t>(columns) * sizeof(Bf16);
  const cuuint64_t half = static_cast<cuuint64_t>(rows) / 2;
  const cuuint64_t sizes[4] = {static_cast<cuuint64_t>(columns), 8, 2, half / 8};
  const cuuint64_t strides[3] = {row_bytes, half * row_bytes, 8 * row_bytes};
  const cuuint32_t box[4] = {kMapColumns, 8, 2, static_cast<cuuint32_t>(box_rows / 16)};
  return Map(data, 4, sizes, strides, box);
}

}  // namespace terminus::models::decoder::cuda
