#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>

#include "models/cuda/cuda_api.h"

namespace terminus::models::nn {

// A function's work on a GPU, recorded as a CUDA graph: launched at once, where its own hundreds of
// kernels wait for the CPU. For one thread at a time. Throws c10::Error where CUDA fails.
class Captured {
 public:
  // Calls `function` twice: what it chooses or allocates the first time is not recorded. It reads
  // and writes the same memory each time, and never waits for the device. With `shares`, memory is
  // taken from that graph's, which must not be replayed while this one's output is still wanted.
  static Captured Capture(const std::function<at::Tensor()>& function, at::Device device,
                          const Captured* shares);

  // What the function returned, computed anew: written when LibTorch's current stream is so far.
  const at::Tensor& Replay() const;

 private:
  struct Destroy {
    const TerminusCudaApi* api;
    void operator()(TerminusCudaGraph* graph) const { api->graph_destroy(graph); }
  };

  Captured() = default;

  std::unique_ptr<TerminusCudaGraph, Destroy> graph_{nullptr, {nullptr}};
  at::Tensor output_;
};

}  // namespace terminus::models::nn
