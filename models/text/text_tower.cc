#include "models/text/text_tower.h"

namespace terminus::models::text {

at::Tensor ToDevice(const std::vector<int64_t>& values, const at::Tensor& like) {
  return at::from_blob(const_cast<int64_t*>(values.data()), {static_cast<int64_t>(values.size())},
                       at::kLong)
      .to(like.device());
}

}  // namespace terminus::models::text
