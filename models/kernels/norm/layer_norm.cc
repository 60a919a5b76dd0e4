#include "models/kernels/norm/layer_norm.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// Σ f(x[i]): whole vectors in two sums, so that an addition need not wait for the one before it,
// then what is left.
template <typename V, typename Function>
TERMINUS_ALWAYS_INLINE float SumOf(const float* x, int64_t count, const Function& f) {
  constexpr int64_t kWidth = kLanesOf<V>;
  V sums[2] = {};
  int64_t i = 0;
  for (; i + 2 * kWidth <= count; i += 2 * kWidth) {
    sums[0] += f(Load<V>(x + i));
    sums[1] += f(Load<V>(x + i + kWidth));
  }
  float sum = Sum(sums[0] + sums[1]);
  for (; i < count; ++i) {
    sum += f(x[i]);
  }
  return sum;
}

template <typename V>
TERMINUS_ALWAYS_INLINE void Rows(const LayerNormArgs& args, int64_t begin, int64_t end) {
  constexpr int64_t kWidth = kLanesOf<V>;
  const float count = static_cast<float>(args.width);
  for (int64_t row = begin; row < end; ++row) {
    const float* x = args.x + row * args.width;
    float* y = args.y + row * args.width;
    const float mean =
        SumOf<V>(
            x, args.width, [](const auto& v) __attribute__((always_inline)) { return v; }) /
        count;
    const float variance = SumOf<V>(
                               x, args.width,
                               [mean](const auto& v) __attribute__((always_inline)) {
                                 return (v - mean) * (v - mean);
                               }) /
                           count;
    const float scale = 1 / std::sqrt(variance + args.eps);
    int64_t i = 0;
    for (; i + kWidth <= args.width; i += kWidth) {
      Store(y + i,
            V((Load<V>(x + i) - mean) * scale * Load<V>(args.weight + i) + Load<V>(args.bias + i)));
    }
    for (; i < args.width; ++i) {
      y[i] = (x[i] - mean) * scale * args.weight[i] + args.bias[i];
    }
  }
}

TERMINUS_AVX512 void RowsAvx512(const LayerNormArgs& args, int64_t begin, int64_t end) {
  Rows<VecOf<16>>(args, begin, end);
}
TERMINUS_AVX2 void RowsAvx2(const LayerNormArgs& args, int64_t begin, int64_t end) {
  Rows<VecOf<8>>(args, begin, end);
}
void RowsAnywhere(const LayerNormArgs& args, int64_t begin, int64_t end) {
  Rows<VecOf<8>>(args, begin, end);
}

}  // namespace

void LayerNorm(const LayerNormArgs& args, int simd_width) {
  const auto rows = simd_width == 16 ? RowsAvx512 : simd_width == 8 ? RowsAvx2 : RowsAnywhere;
  // Some 32k numbers are worth waking another thread.
  const int64_t grain = std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, args.width));
  at::parallel_for(0, args.rows, grain,
                   [&](int64_t begin, int64_t end) { rows(args, begin, end); });
}

}  // namespace terminus::models::kernels
