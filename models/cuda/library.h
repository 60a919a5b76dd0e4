#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// Loads libterminus_cuda.so, once a process, from TERMINUS_CUDA_LIBRARY if that is set, else from
// beside the binary (../lib) or where the system's loader looks. FAILED_PRECONDITION says why it
// cannot be used.
absl::StatusOr<const TerminusCudaApi*> LoadLibrary();

struct Device {
  std::string name;
  uint64_t memory_bytes = 0;
};

// GPU number `index`, or FAILED_PRECONDITION: no library, no driver, or not that many GPUs.
absl::StatusOr<Device> FindDevice(int index);

}  // namespace terminus::models::cuda
