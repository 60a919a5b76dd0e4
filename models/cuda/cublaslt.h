#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "models/cuda/cuda_api.h"

// A product as cuBLASLt is told of it.
namespace terminus::models::cuda {

template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};

class LtProblem {
 public:
  explicit LtProblem(const TerminusCudaMatmul& args);

  // Whether cuBLASLt applies this activation itself.
  static bool Fuses(TerminusCudaActivation activation);

  // What its heuristic proposes, the best first; all that fits into the workspace.
  std::vector<cublasLtMatmulAlgo_t> Candidates() const;

  // The product with bias, residual and, where it is fused, activation.
  cudaError_t Run(const TerminusCudaMatmul& args, const cublasLtMatmulAlgo_t& algorithm,
                  cudaStream_t stream) const;

 private:
  using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy<cublasLtMatmulDescDestroy>>;
  using Layout =
      std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy<cublasLtMatrixLayoutDestroy>>;

  static Operation MakeOperation(const TerminusCudaMatmul& args);
  static Layout MakeLayout(cudaDataType_t type, int64_t rows, int64_t columns);

  // Column by column: yᵀ = weight · xᵀ.
  Operation operation_;
  Layout weight_;
  Layout x_;
  Layout y_;
};

}  // namespace terminus::models::cuda
