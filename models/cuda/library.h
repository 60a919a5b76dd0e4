#pragma once

#include "absl/status/statusor.h"
#include "common/gpu/library.h"
#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// The models' kernels in libterminus_cuda.so, which common/gpu loads; its errors.
inline absl::StatusOr<const TerminusCudaApi*> LoadLibrary() {
  return gpu::FindTableAs<TerminusCudaApi>("terminus_cuda_api", TERMINUS_CUDA_API_VERSION);
}

using gpu::FindDevice;

}  // namespace terminus::models::cuda
