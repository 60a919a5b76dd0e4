#include "models/cuda/cuda_api.h"

#include <cuda_runtime_api.h>

#include "models/cuda/elementwise.h"
#include "models/cuda/graph.h"
#include "models/cuda/matmul.h"
#include "models/cuda/packed_attention.h"
#include "models/cuda/patches.h"

namespace {

int Patches(const TerminusCudaPatches* args, void* stream) {
  return terminus::models::cuda::LaunchPatches(*args, static_cast<cudaStream_t>(stream));
}

int LayerNorm(const void* x, const void* weight, const void* bias, int64_t rows, int width,
              float eps, const TerminusCudaOutput* out, void* stream) {
  return terminus::models::cuda::LaunchLayerNorm(x, weight, bias, rows, width, eps, *out,
                                                 static_cast<cudaStream_t>(stream));
}

int Activation(const void* x, int64_t count, TerminusCudaActivation activation,
               const TerminusCudaOutput* out, void* stream) {
  return terminus::models::cuda::LaunchActivation(x, count, activation, *out,
                                                  static_cast<cudaStream_t>(stream));
}

int Attention(const TerminusCudaAttention* args, void* stream) {
  return terminus::models::cuda::LaunchPackedAttention(*args, static_cast<cudaStream_t>(stream));
}

int Matmul(const TerminusCudaMatmul* args, void* stream) {
  return terminus::models::cuda::Matmul(*args, static_cast<cudaStream_t>(stream));
}

constexpr TerminusCudaApi kApi = {TERMINUS_CUDA_API_VERSION,
                                  Patches,
                                  LayerNorm,
                                  Activation,
                                  Attention,
                                  Matmul,
                                  terminus::models::cuda::CurrentStream,
                                  terminus::models::cuda::BeginGraph,
                                  terminus::models::cuda::EndGraph,
                                  terminus::models::cuda::ReplayGraph,
                                  terminus::models::cuda::DestroyGraph};

}  // namespace

const TerminusCudaApi* terminus_cuda_api() { return &kApi; }
