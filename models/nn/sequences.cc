#include "models/nn/sequences.h"

#include <algorithm>
#include <utility>

#include "models/nn/to_device.h"

namespace terminus::models::nn {

Sequences::Sequences(std::vector<int32_t> offsets, at::Device device)
    : offsets_(std::move(offsets)), count_(static_cast<int64_t>(offsets_.size()) - 1) {
  int32_t shortest = count() > 0 ? offsets_[1] - offsets_[0] : 0;
  for (size_t i = 0; i + 1 < offsets_.size(); ++i) {
    const int32_t length = offsets_[i + 1] - offsets_[i];
    longest_ = std::max(longest_, length);
    shortest = std::min(shortest, length);
  }
  if (shortest == longest_ && offsets_.front() == 0) {
    equal_length_ = longest_;
  } else if (!device.is_cpu()) {
    on_device_ = ToDevice(offsets_, device);
  }
}

Sequences::Sequences(at::Tensor offsets, int32_t longest)
    : count_(offsets.size(0) - 1), longest_(longest), on_device_(std::move(offsets)) {}

Sequences Sequences::OfLength(int64_t count, int64_t length, at::Device device) {
  std::vector<int32_t> offsets;
  for (int64_t i = 0; i <= count; ++i) {
    offsets.push_back(static_cast<int32_t>(i * length));
  }
  return Sequences(std::move(offsets), device);
}

}  // namespace terminus::models::nn
