#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace terminus::models::cuda {

// Pinned memory of the host, given out in turn: what a stream reads once and later. Memory is given
// out again when the stream is done with it. Used by one thread at a time; all streams are of one
// device.
class PinnedRing {
 public:
  PinnedRing() = default;
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;
  // Requires: the streams are done with all that was given out.
  ~PinnedRing();

  // Once, before any other call.
  cudaError_t Allocate(size_t bytes);

  // Waits for the oldest readers where the ring is full of what was not read yet. Requires: at most
  // as many bytes as the ring has; Commit was called for the memory before. Aligned to 16 bytes.
  cudaError_t Reserve(size_t bytes, void** memory);

  // The memory last reserved is read by what was put into the stream so far.
  cudaError_t Commit(cudaStream_t stream);

 private:
  struct Part {
    size_t begin = 0;
    size_t end = 0;
    cudaEvent_t read = nullptr;
  };

  cudaError_t WaitForOldest();

  char* memory_ = nullptr;
  size_t size_ = 0;
  size_t next_ = 0;
  Part reserved_;
  std::deque<Part> parts_;  // Committed, oldest first.
  std::vector<cudaEvent_t> free_events_;
};

}  // namespace terminus::models::cuda
