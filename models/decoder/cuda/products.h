#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <map>

#include "models/decoder/cuda/kernels.h"
#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/stream_product.h"

namespace terminus::models::decoder::cuda {

// One linear map of a model: y = x · weightᵀ + bias.
struct Linear {
  const Bf16* weight = nullptr;  // [out, in]
  const Bf16* bias = nullptr;    // [out], or null.
  int64_t in = 0;
  int64_t out = 0;
};

// The products of a decoder: of few rows by a kernel of our own, of more by cuBLASLt, where numbers
// of rows fall into buckets, each of which has its algorithm: none is looked for while serving.
class Products {
 public:
  // For up to `max_rows` rows.
  explicit Products(int max_rows);

  // Tries what there is for every bucket, seconds in all. `y` takes max_rows rows.
  void Tune(const Linear& linear, const Bf16* x, void* y, bool adds, bool float_y, int max_rows,
            cudaStream_t stream) const;

  // y = linear(x).
  void Run(const Linear& linear, const Bf16* x, Bf16* y, int64_t rows, cudaStream_t stream) const;
  // y += linear(x).
  void Add(const Linear& linear, const Bf16* x, Bf16* y, int64_t rows, cudaStream_t stream) const;
  // y [rows, out / 2] = silu(gate) · up, the first and the second half of linear(x), which may go
  // to `scratch` [rows, out] between.
  void RunGated(const Linear& linear, const Bf16* x, Bf16* scratch, Bf16* y, int64_t rows,
                cudaStream_t stream) const;
  // The same as Run, in float32. Requires: no bias.
  void RunFloat(const Linear& linear, const Bf16* x, float* y, int64_t rows,
                cudaStream_t stream) const;

 private:
  void Multiply(const Linear& linear, const Bf16* x, void* y, int64_t rows, bool adds, bool float_y,
                cudaStream_t stream) const;

  bool Streams(int64_t rows) const { return streams_ && rows <= kStreamRows; }
  void Stream(const Linear& linear, const Bf16* x, void* y, int64_t rows, ProductOutput output,
              cudaStream_t stream) const;

  bool streams_ = false;  // Whether the device is a Hopper.
  int multiprocessors_ = 0;
  int max_rows_;
  DevicePtr<uint8_t> workspace_;
  DevicePtr<float> partial_;  // StreamArgs'; so ready_.
  DevicePtr<int32_t> ready_;
  // By address and, of x, rows of a box. Made when first needed, which is before serving.
  mutable std::map<const Bf16*, CUtensorMap> weights_;
  mutable std::map<std::pair<const Bf16*, int>, CUtensorMap> inputs_;
};

// The smallest number of rows that has an algorithm of its own and is not below `rows`.
int ProductBucket(int rows);

}  // namespace terminus::models::decoder::cuda
