#include "models/text/pooling.h"

#include "models/nn/to_device.h"

namespace terminus::models::text {
namespace {

// All texts in one operator, for devices on which each costs a launch.
at::Tensor PoolTogether(const at::Tensor& hidden, const std::vector<int32_t>& offsets,
                        Pooling pooling) {
  std::vector<int64_t> values;  // Lengths for a mean, else rows.
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    values.push_back(pooling == Pooling::kMean  ? offsets[i + 1] - offsets[i]
                     : pooling == Pooling::kCls ? offsets[i]
                                                : offsets[i + 1] - 1);
  }
  const at::Tensor on_device = nn::ToDevice(values, hidden.device());
  if (pooling != Pooling::kMean) {
    return at::index_select(hidden, 0, on_device);
  }
  // `unsafe`: the lengths are known to be right, and checking them would wait for the device.
  return at::segment_reduce(hidden.slice(0, 0, offsets.back()).to(at::kFloat), "mean", on_device,
                            /*indices=*/{}, /*offsets=*/{}, /*axis=*/0, /*unsafe=*/true)
      .to(hidden.scalar_type());
}

}  // namespace

at::Tensor Pool(const at::Tensor& hidden, const std::vector<int32_t>& offsets, Pooling pooling) {
  if (!hidden.is_cpu()) {
    return PoolTogether(hidden, offsets, pooling);
  }
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
