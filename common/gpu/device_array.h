#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/check.h"
#include "common/gpu/gpu_api.h"

namespace terminus::gpu {

// Memory of the calling thread's device, for programs whose only answer to a CUDA error is to end:
// tests and benchmarks. Every call is a copy in the stream's order.
template <class Value>
class DeviceArray {
 public:
  DeviceArray(const TerminusGpuApi* api, size_t count) : api_(api), count_(count) {
    TERMINUS_CHECK(api_->allocate(count * sizeof(Value), &memory_) == 0);
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { api_->release(memory_); }

  Value* data() const { return static_cast<Value*>(memory_); }

  // Requires: at most as many values as the array has. Returns when they may be changed.
  void Write(const std::vector<Value>& values, void* stream) {
    TERMINUS_CHECK(values.size() <= count_);
    TERMINUS_CHECK(api_->copy(memory_, values.data(), values.size() * sizeof(Value), stream) == 0);
    TERMINUS_CHECK(api_->wait_stream(stream) == 0);
  }

  std::vector<Value> Read(void* stream) const {
    std::vector<Value> values(count_);
    TERMINUS_CHECK(api_->copy(values.data(), memory_, count_ * sizeof(Value), stream) == 0);
    TERMINUS_CHECK(api_->wait_stream(stream) == 0);
    return values;
  }

 private:
  const TerminusGpuApi* api_;
  size_t count_;
  void* memory_ = nullptr;
};

}  // namespace terminus::gpu
