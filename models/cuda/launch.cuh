#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

#include "models/cuda/hopper.h"

namespace terminus::models::cuda {

// First in a kernel that LaunchBehind launches: until what came before in the stream is done.
__device__ __forceinline__ void WaitForBefore() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Lets the blocks of the kernel behind, if LaunchBehind launched it, come onto the device as soon
// as all blocks of this one have called it: for kernels that begin with work of their own, such as
// reading weights.
__device__ __forceinline__ void LetNextStart() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Launches a kernel whose blocks may come onto the device while the last ones of the kernel before
// it in the stream are still at work (programmatic dependent launch, on Hopper): the gap between
// two short kernels is most of what they take. The kernel calls WaitForBefore.
template <class... Parameters, class... Arguments>
cudaError_t LaunchBehind(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                         cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = IsHopper() ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Arguments>(arguments))...);
}

}  // namespace terminus::models::cuda
