#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "models/decoder/cuda/kernels.h"
#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/product_output.h"
#include "models/decoder/cuda/stream_product.h"

namespace terminus::models::decoder::cuda {

// One linear map of a model: y = x · weightᵀ + bias.
struct Linear {
  const Bf16* weight = nullptr;  // [out, in]
  const Bf16* bias = nullptr;    // [out], or null.
  int64_t in = 0;
  int64_t out = 0;
};

// The products of a decoder: by cuBLASLt, or by kernels of our own for few rows. Numbers of rows
// fall into buckets, each of which has its method: none is looked for while serving.
class Products {
 public:
  // For up to `max_rows` rows and gated products of up to `max_inner` outputs.
  Products(int max_rows, int64_t max_inner);

  // Tries what there is for every bucket of up to `max_rows` rows, and keeps the fastest. `linears`
  // are of one shape, those of different layers: together they should not fit into the device's
  // cache. x [max_rows, in] and y [max_rows, out] are overwritten.
  void Tune(const std::vector<Linear>& linears, const Bf16* x, void* y, ProductOutput output,
            int max_rows, cudaStream_t stream);

  // Computes y as `output` says. Requires: a product of this shape and output was tuned for as many
  // rows; kFloat: no bias.
  void Run(const Linear& linear, const Bf16* x, void* y, int64_t rows, ProductOutput output,
           cudaStream_t stream) const;

 private:
  enum class Method {
    kCublas,
    kStream,
    kFewRows,
  };
  // Output, in, out, bucket.
  using Key = std::tuple<ProductOutput, int64_t, int64_t, int>;

  bool Takes(Method method, int rows) const;
  void Compute(Method method, const Linear& linear, const Bf16* x, void* y, int64_t rows,
               ProductOutput output, cudaStream_t stream) const;
  void ComputeByCublas(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                       ProductOutput output, cudaStream_t stream) const;
  void ComputeByStream(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                       ProductOutput output, cudaStream_t stream) const;
  // Milliseconds of one product in the middle of others.
  float Time(Method method, const std::vector<Linear>& linears, const Bf16* x, void* y, int rows,
             ProductOutput output, cudaStream_t stream) const;

  bool is_hopper_;
  int multiprocessors_ = 0;
  int max_rows_;
  std::map<Key, Method> methods_;
  DevicePtr<uint8_t> workspace_;  // cuBLASLt's.
  DevicePtr<Bf16> gates_;         // [max_rows, 2 · max_inner]: of gated products by cuBLASLt.
  DevicePtr<float> partial_;      // StreamArgs'; so ready_.
  DevicePtr<int32_t> ready_;
  // By address and, of x, rows of a box. Made when first needed, which is before serving.
  mutable std::map<const Bf16*, CUtensorMap> weights_;
  mutable std::map<std::pair<const Bf16*, int>, CUtensorMap> inputs_;
};

// The smallest number of rows that has a method of its own and is not below `rows`.
int ProductBucket(int rows);

}  // namespace terminus::models::decoder::cuda
