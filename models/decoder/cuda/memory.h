#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

// Memory and errors of the decoder engine. Errors of CUDA are thrown as CudaError, and caught where
// the C table is entered.
namespace terminus::models::decoder::cuda {

class CudaError : public std::runtime_error {
 public:
  CudaError(cudaError_t error, const char* what)
      : std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error)) {}
};

inline void Check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) {
    throw CudaError(error, what);
  }
}

struct FreeDevice {
  void operator()(void* data) const { cudaFree(data); }
};
struct FreePinned {
  void operator()(void* data) const { cudaFreeHost(data); }
};
template <class T>
using DevicePtr = std::unique_ptr<T[], FreeDevice>;
template <class T>
using PinnedPtr = std::unique_ptr<T[], FreePinned>;

template <class T>
DevicePtr<T> AllocateDevice(size_t count) {
  void* data = nullptr;
  Check(cudaMalloc(&data, count * sizeof(T)), "cudaMalloc");
  return DevicePtr<T>(static_cast<T*>(data));
}

template <class T>
PinnedPtr<T> AllocatePinned(size_t count) {
  void* data = nullptr;
  Check(cudaHostAlloc(&data, count * sizeof(T), cudaHostAllocDefault), "cudaHostAlloc");
  return PinnedPtr<T>(static_cast<T*>(data));
}

}  // namespace terminus::models::decoder::cuda
