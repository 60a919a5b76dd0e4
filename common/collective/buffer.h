#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/weights/dtype.h"

namespace terminus::collective {

enum class Memory { kCpu, kCuda };

// `count` elements that the caller owns. What is only sent is only read.
struct Buffer {
  void* data = nullptr;
  int64_t count = 0;
  weights::DType dtype = weights::DType::kFloat32;
  Memory memory = Memory::kCpu;
  // For kCuda: the cudaStream_t in whose order the elements are read and written; null is the
  // default stream of the communicator's device.
  void* stream = nullptr;

  size_t bytes() const { return static_cast<size_t>(count) * weights::ElementSize(dtype); }
};

// "float32[8]", for messages.
std::string Describe(const Buffer& buffer);

// INVALID_ARGUMENT, naming the operation, unless the buffer lies in `memory`, its count is not
// negative, its data is there, and it has at most `max_bytes`.
absl::Status CheckBuffer(const char* operation, const Buffer& buffer, Memory memory,
                         int64_t max_bytes);

// INVALID_ARGUMENT unless `peer` is another rank of a world of `size`.
absl::Status CheckPeer(const char* operation, int peer, int rank, int size);

// INVALID_ARGUMENT unless `root` is a rank of a world of `size`.
absl::Status CheckRoot(int root, int size);

// INVALID_ARGUMENT unless `whole` holds `size` times `part`, of the same type, memory
// and stream, and its data is there.
absl::Status CheckWhole(const Buffer& part, const Buffer& whole, int size);

// INVALID_ARGUMENT unless sums of this type are known: float32, bfloat16, int32.
absl::Status CheckSummable(weights::DType dtype);

}  // namespace terminus::collective
