#include "models/text/pooling.h"

namespace terminus::models::text {
namespace {

at::Tensor Mean(const at::Tensor& hidden, const nn::Sequences& sequences) {
  const std::vector<int32_t>& offsets = sequences.offsets();
  at::Tensor pooled = at::empty({sequences.count(), hidden.size(1)}, hidden.options());
  for (int64_t i = 0; i < sequences.count(); ++i) {
    at::Tensor row = pooled[i];
    at::mean_out(row, hidden.slice(0, offsets[i], offsets[i + 1]), 0);
  }
  return pooled;
}

// All texts in one operator, for devices on which each costs a launch.
at::Tensor MeanTogether(const at::Tensor& hidden, const nn::Sequences& sequences) {
  if (const int64_t length = sequences.equal_length(); length > 0) {
    return hidden.slice(0, 0, sequences.rows())
        .view({sequences.count(), length, -1})
        .mean(1, /*keepdim=*/false, at::kFloat)
        .to(hidden.scalar_type());
  }
  const at::Tensor& offsets = sequences.on_device();
  const at::Tensor lengths = at::diff(offsets).to(at::kLong);
  // `unsafe`: the lengths are known to be right, and checking them would wait for the device. Rows
  // behind the last text are not looked at.
  return at::segment_reduce(hidden.to(at::kFloat), "mean", lengths, /*indices=*/{}, /*offsets=*/{},
                            /*axis=*/0, /*unsafe=*/true)
      .to(hidden.scalar_type());
}

}  // namespace

std::vector<int64_t> PooledTokens(const std::vector<int32_t>& offsets, Pooling pooling) {
  std::vector<int64_t> tokens;
  if (pooling == Pooling::kMean) {
    return tokens;
  }
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    tokens.push_back(pooling == Pooling::kCls ? offsets[i] : offsets[i + 1] - 1);
  }
  return tokens;
}

at::Tensor Pool(const at::Tensor& hidden, const TextInputs& inputs) {
  if (inputs.pooled.defined()) {
    return at::index_select(hidden, 0, inputs.pooled);
  }
  return hidden.is_cpu() ? Mean(hidden, inputs.sequences) : MeanTogether(hidden, inputs.sequences);
}

}  // namespace terminus::models::text
