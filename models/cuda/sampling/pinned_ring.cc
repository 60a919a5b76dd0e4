#include "models/cuda/sampling/pinned_ring.h"

namespace terminus::models::cuda {
namespace {

constexpr size_t kAlignment = 16;
constexpr int kEvents = 256;

}  // namespace

PinnedRing::~PinnedRing() {
  for (const Part& part : parts_) {
    cudaEventDestroy(part.read);
  }
  for (cudaEvent_t event : free_events_) {
    cudaEventDestroy(event);
  }
  cudaFreeHost(memory_);
}

cudaError_t PinnedRing::Allocate(size_t bytes) {
  size_ = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  for (int i = 0; i < kEvents; ++i) {
    cudaEvent_t event = nullptr;
    if (const cudaError_t error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
        error != cudaSuccess) {
      return error;
    }
    free_events_.push_back(event);
  }
  return cudaHostAlloc(reinterpret_cast<void**>(&memory_), size_, cudaHostAllocDefault);
}

cudaError_t PinnedRing::WaitForOldest() {
  const Part oldest = parts_.front();
  const cudaError_t error = cudaEventSynchronize(oldest.read);
  parts_.pop_front();
  free_events_.push_back(oldest.read);
  return error;
}

cudaError_t PinnedRing::Reserve(size_t bytes, void** memory) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (rounded > size_) {
    return cudaErrorInvalidValue;
  }
  const size_t begin = next_ + rounded <= size_ ? next_ : 0;
  const size_t end = begin + rounded;
  const auto overlaps = [&](const Part& part) { return part.begin < end && begin < part.end; };
  const auto in_use = [&] {
    for (const Part& part : parts_) {
      if (overlaps(part)) {
        return true;
      }
    }
    return false;
  };
  // Parts lie in the ring in their order, so that those in the way are the oldest.
  while (free_events_.empty() || in_use()) {
    if (const cudaError_t error = WaitForOldest(); error != cudaSuccess) {
      return error;
    }
  }
  reserved_ = {begin, end, nullptr};
  *memory = memory_ + begin;
  return cudaSuccess;
}

cudaError_t PinnedRing::Commit(cudaStream_t stream) {
  const cudaEvent_t event = free_events_.back();
  if (const cudaError_t error = cudaEventRecord(event, stream); error != cudaSuccess) {
    return error;
  }
  free_events_.pop_back();
  reserved_.read = event;
  parts_.push_back(reserved_);
  next_ = reserved_.end;
  return cudaSuccess;
}

}  // namespace terminus::models::cuda
