#include "common/batching/cost.h"

#include <algorithm>
#include <cmath>

namespace terminus::batching {
namespace {

constexpr double kWeight = 0.1;
constexpr int64_t kCell = 32;

}  // namespace

void TextCost::Observe(double bytes_per_token) {
  if (!(bytes_per_token > 0) || !std::isfinite(bytes_per_token)) {
    return;
  }
  // Two batches answered at once may lose one update; the next makes up for it.
  bytes_per_token_.store(this->bytes_per_token() * (1 - kWeight) + bytes_per_token * kWeight,
                         std::memory_order_relaxed);
}

int64_t TextCost::Estimate(int64_t bytes, int64_t max_tokens) const {
  const double tokens = std::ceil(static_cast<double>(bytes) / bytes_per_token());
  const int64_t cost = std::max<int64_t>(1, static_cast<int64_t>(tokens));
  return max_tokens > 0 ? std::min(cost, max_tokens) : cost;
}

int64_t ImageCost(int64_t width, int64_t height) {
  const auto cells = [](int64_t pixels) {
    return std::max<int64_t>(1, (pixels + kCell - 1) / kCell);
  };
  return cells(width) * cells(height);
}

}  // namespace terminus::batching
