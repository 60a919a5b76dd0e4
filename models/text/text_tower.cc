#include "models/text/text_tower.h"

#include "models/nn/to_device.h"

namespace terminus::models::text {

at::Tensor ToDevice(const std::vector<int64_t>& values, const at::Tensor& like) {
  return nn::ToDevice(values, like.device());
}

}  // namespace terminus::models::text
