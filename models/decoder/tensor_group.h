#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace terminus::models::decoder {

// The ranks that compute each layer together, as one of them sees the others. All ranks make the
// same calls with the same counts in the same order. A call returns when its result is there, or
// with an error within a time that the implementation bounds; after an error the group cannot be
// used again. It throws nothing. One thread at a time calls it.
class TensorGroup {
 public:
  virtual ~TensorGroup() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Replaces each of `count` numbers by its sum over all ranks; all get the same bits.
  virtual absl::Status AllReduceSum(float* data, int64_t count) = 0;

  // whole [size, count]: the parts [count] of all ranks in their order.
  virtual absl::Status AllGather(const float* part, int64_t count, float* whole) = 0;
};

}  // namespace terminus::models::decoder
