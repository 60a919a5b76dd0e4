#include "models/decoder/collective_group.h"

#include "absl/time/clock.h"

namespace terminus::models::decoder {

absl::Status CollectiveGroup::AllReduceSum(float* data, int64_t count) {
  return communicator_->AllReduceSum({.data = data, .count = count},
                                     absl::Now() + options_.patience);
}

absl::Status CollectiveGroup::AllGather(const float* part, int64_t count, float* whole) {
  // What is only sent is only read.
  const collective::Buffer own{.data = const_cast<float*>(part), .count = count};
  return communicator_->AllGather(own, {.data = whole, .count = size() * count},
                                  absl::Now() + options_.patience);
}

}  // namespace terminus::models::decoder
