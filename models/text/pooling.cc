#include "models/text/pooling.h"

namespace terminus::models::text {

at::Tensor Pool(const at::Tensor& hidden, const std::vector<int32_t>& offsets, Pooling pooling) {
  const int64_t count = static_cast<int64_t>(offsets.size()) - 1;
  at::Tensor pooled = at::empty({count, hidden.size(1)}, hidden.options());
  for (int64_t i = 0; i < count; ++i) {
    at::Tensor row = pooled[i];
    switch (pooling) {
      case Pooling::kMean:
        at::mean_out(row, hidden.slice(0, offsets[i], offsets[i + 1]), 0);
        break;
      case Pooling::kCls:
        row.copy_(hidden[offsets[i]]);
        break;
      case Pooling::kLast:
        row.copy_(hidden[offsets[i + 1] - 1]);
        break;
    }
  }
  return pooled;
}

}  // namespace terminus::models::text
