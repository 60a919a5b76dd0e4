#include "common/gpu/gpu_api.h"

#include <cuda_runtime_api.h>

#include <cstdio>

namespace {

// Reports an error and clears it: no later call shall report it again.
int Report(cudaError_t error) {
  if (error != cudaSuccess) {
    cudaGetLastError();
  }
  return error;
}

cudaStream_t Stream(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t Event(void* event) { return static_cast<cudaEvent_t>(event); }

const char* ErrorText(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

int DeviceCount(char* error, uint64_t size) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (Report(status) == cudaSuccess) {
    return count;
  }
  std::snprintf(error, size, "%s", cudaGetErrorString(status));
  return -1;
}

uint64_t DescribeDevice(int device, char* name, uint64_t size) {
  cudaDeviceProp properties;
  if (Report(cudaGetDeviceProperties(&properties, device)) != cudaSuccess) {
    return 0;
  }
  std::snprintf(name, size, "%s", properties.name);
  return properties.totalGlobalMem;
}

int SetDevice(int device) { return Report(cudaSetDevice(device)); }

int Allocate(uint64_t bytes, void** memory) { return Report(cudaMalloc(memory, bytes)); }

int Release(void* memory) { return Report(cudaFree(memory)); }

int AllocateHost(uint64_t bytes, void** memory) {
  return Report(cudaHostAlloc(memory, bytes, cudaHostAllocDefault));
}

int ReleaseHost(void* memory) { return Report(cudaFreeHost(memory)); }

int Copy(void* to, const void* from, uint64_t bytes, void* stream) {
  return Report(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, Stream(stream)));
}

int CreateStream(void** stream) {
  return Report(
      cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking));
}

int DestroyStream(void* stream) { return Report(cudaStreamDestroy(Stream(stream))); }

int WaitStream(void* stream) { return Report(cudaStreamSynchronize(Stream(stream))); }

int CreateEvent(void** event) {
  return Report(
      cudaEventCreateWithFlags(reinterpret_cast<cudaEvent_t*>(event), cudaEventDisableTiming));
}

int DestroyEvent(void* event) { return Report(cudaEventDestroy(Event(event))); }

int RecordEvent(void* event, void* stream) {
  return Report(cudaEventRecord(Event(event), Stream(stream)));
}

int QueryEvent(void* event) {
  const cudaError_t status = cudaEventQuery(Event(event));
  return status == cudaErrorNotReady ? -1 : Report(status);
}

int WaitEvent(void* event) { return Report(cudaEventSynchronize(Event(event))); }

constexpr TerminusGpuApi kApi = {TERMINUS_GPU_API_VERSION,
                                 ErrorText,
                                 DeviceCount,
                                 DescribeDevice,
                                 SetDevice,
                                 Allocate,
                                 Release,
                                 AllocateHost,
                                 ReleaseHost,
                                 Copy,
                                 CreateStream,
                                 DestroyStream,
                                 WaitStream,
                                 CreateEvent,
                                 DestroyEvent,
                                 RecordEvent,
                                 QueryEvent,
                                 WaitEvent};

}  // namespace

const TerminusGpuApi* terminus_gpu_api() { return &kApi; }
