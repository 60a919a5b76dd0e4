#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "models/decoder/cuda/kernels.h"
#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/product_output.h"
#include "models/decoder/cuda/product_table.h"
#include "models/decoder/cuda/stream_product.h"

namespace terminus::models::decoder::cuda {

// One linear map of a model: y = x · weightᵀ + bias.
struct Linear {
  const Bf16* weight = nullptr;  // [out, in]
  const Bf16* bias = nullptr;    // [out], or null.
  int64_t in = 0;
  int64_t out = 0;
};

// The products of a decoder: by cuBLASLt, or by kernels of our own where they are faster. Numbers
// of rows fall into buckets, each of which has its method: none is looked for while serving.
class Products {
 public:
  // For up to `max_rows` rows and gated products of up to `max_inner` outputs.
  Products(int max_rows, int64_t max_inner);

  // Takes the choices of an earlier load from the file of `directory` that is named after this
  // device, cuBLASLt's version and the kernels'. Save writes it, in one piece, where Tune has made
  // trials; it does without where it cannot.
  void Load(const std::string& directory);
  void Save(const std::string& directory) const;

  // Tries what there is for every bucket of up to `max_rows` rows that has no choice yet, and keeps
  // the fastest. `linears` are of one shape, those of different layers: together they should not
  // fit into the device's cache. x [max_rows, in] and y [max_rows, out] are overwritten.
  void Tune(const std::vector<Linear>& linears, const Bf16* x, void* y, ProductOutput output,
            int max_rows, cudaStream_t stream);

  // Computes y as `output` says. Requires: a product of this shape and output was tuned for as many
  // rows; kFloat: no bias.
  void Run(const Linear& linear, const Bf16* x, void* y, int64_t rows, ProductOutput output,
           cudaStream_t stream) const;

 private:
  // Maps by address and rows of a box. Made when first needed, which is before serving.
  using Maps = std::map<std::pair<const Bf16*, int>, CUtensorMap>;

  static const CUtensorMap& FindMap(Maps& maps, const Bf16* data, int64_t rows, int64_t columns,
                                    int box_rows);
  std::vector<ProductChoice> Candidates(const Linear& linear, const Bf16* x, void* y, int rows,
                                        ProductOutput output) const;
  void Compute(const ProductChoice& choice, const Linear& linear, const Bf16* x, void* y,
               int64_t rows, ProductOutput output, cudaStream_t stream) const;
  void ComputeByCublas(const ProductChoice& choice, const Linear& linear, const Bf16* x, void* y,
                       int64_t rows, ProductOutput output, cudaStream_t stream) const;
  void ComputeByStream(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                       ProductOutput output, cudaStream_t stream) const;
  void ComputeGated(int width, const Linear& linear, const Bf16* x, void* y, int64_t rows,
                    cudaStream_t stream) const;
  ProductChoice FindFastest(const std::vector<Linear>& linears, const Bf16* x, void* y, int rows,
                            ProductOutput output, cudaStream_t stream) const;
  // Milliseconds of one product, in the middle of `count` others; infinity: it does not work.
  float Time(const ProductChoice& choice, const std::vector<Linear>& linears, size_t count,
             const Bf16* x, void* y, int rows, ProductOutput output, cudaStream_t stream) const;
  std::filesystem::path FileIn(const std::string& directory) const;
  int BucketOf(const Linear& linear, ProductOutput output, int64_t rows) const;

  bool is_hopper_;
  int multiprocessors_ = 0;
  int max_rows_;
  std::string origin_;  // Device and versions that choices depend on.
  ProductTable table_;
  // Rows that were tuned, by output, in and out.
  std::map<std::tuple<ProductOutput, int64_t, int64_t>, int> tuned_rows_;
  bool tried_ = false;
  DevicePtr<uint8_t> workspace_;  // cuBLASLt's.
  DevicePtr<Bf16> gates_;         // [max_rows, 2 · max_inner]: of gated products by cuBLASLt.
  DevicePtr<float> partial_;      // StreamArgs'; so ready_.
  DevicePtr<int32_t> ready_;
  mutable std::map<const Bf16*, CUtensorMap> stream_weights_;
  mutable Maps weights_;
  mutable Maps inputs_;
};

// The smallest number of rows that has a method of its own and is not below `rows`.
int ProductBucket(int rows);

}  // namespace terminus::models::decoder::cuda
