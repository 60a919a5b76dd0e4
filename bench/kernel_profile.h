#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace terminus::bench {

// What the GPU spent on one kernel, or one kind of copy.
struct KernelTime {
  std::string name;
  int64_t count = 0;
  double microseconds = 0;  // All together.
};

// All that `run` has the GPU do, by LibTorch's profiler, most time first. `run` must wait for it.
// Kernels of a CUDA graph are counted one by one. Throws what LibTorch throws.
std::vector<KernelTime> ProfileKernels(const std::function<void()>& run);

}  // namespace terminus::bench
