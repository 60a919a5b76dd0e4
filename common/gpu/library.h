#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/gpu/gpu_api.h"

// The one door to libterminus_cuda.so, which holds all CUDA code of Terminus: the same binaries run
// where there is neither GPU nor CUDA.
namespace terminus::gpu {

// A table of functions that the library exports as `symbol`, a function without arguments. Loads
// the library, once a process, from TERMINUS_CUDA_LIBRARY if that is set, else from beside the
// binary (../lib) or where the system's loader looks. Every table begins with its version.
// FAILED_PRECONDITION says why the library, the table or this version of it is not to be had.
absl::StatusOr<const void*> FindTable(const char* symbol, int version);

template <class Table>
absl::StatusOr<const Table*> FindTableAs(const char* symbol, int version) {
  const auto table = FindTable(symbol, version);
  if (!table.ok()) {
    return table.status();
  }
  return static_cast<const Table*>(*table);
}

inline absl::StatusOr<const TerminusGpuApi*> LoadLibrary() {
  return FindTableAs<TerminusGpuApi>("terminus_gpu_api", TERMINUS_GPU_API_VERSION);
}

struct Device {
  std::string name;
  uint64_t memory_bytes = 0;
};

// GPU number `index`, or FAILED_PRECONDITION: no library, no driver, or not that many GPUs.
absl::StatusOr<Device> FindDevice(int index);

// How many GPUs can be used; 0 where there is no library or no driver.
int DeviceCount();

}  // namespace terminus::gpu
