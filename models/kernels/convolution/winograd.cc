#include "models/kernels/convolution/winograd.h"

#include <algorithm>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels::winograd {
namespace {

// Inputs along an axis of a tile.
constexpr int kSide = 4;

// Bᵀ d, four inputs → four points, `step` apart.
template <int kStep>
TERMINUS_ALWAYS_INLINE void Forward(Vec* d) {
  const Vec first = d[0] - d[2 * kStep];
  const Vec second = d[kStep] + d[2 * kStep];
  const Vec third = d[2 * kStep] - d[kStep];
  const Vec fourth = d[kStep] - d[3 * kStep];
  d[0] = first;
  d[kStep] = second;
  d[2 * kStep] = third;
  d[3 * kStep] = fourth;
}

// Aᵀ m, four points → two outputs, `step` apart.
template <int kStep, typename V>
TERMINUS_ALWAYS_INLINE void Backward(V* m) {
  const V first = m[0] + m[kStep] + m[2 * kStep];
  const V second = m[kStep] - m[2 * kStep] - m[3 * kStep];
  m[0] = first;
  m[kStep] = second;
}

// The 16 inputs of one tile, channel by channel; those outside the image are null.
TERMINUS_SIMD_CLONES void TransformTile(const float* const* inputs, int64_t channels, float* points,
                                        int64_t pitch) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    Vec d[kPoints];
#pragma GCC unroll 16
    for (int i = 0; i < kPoints; ++i) {
      d[i] = inputs[i] == nullptr ? Vec{} : Load(inputs[i] + c);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kSide; ++i) {
      Forward<kSide>(d + i);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kSide; ++i) {
      Forward<1>(d + i * kSide);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kPoints; ++i) {
      Store(points + i * pitch + c, d[i]);
    }
  }
}

// Channels from `c` on of the 2×2 outputs at a row and a column, those outside the image left out.
template <typename V>
TERMINUS_ALWAYS_INLINE void FinishChannels(const Geometry& g, int64_t row, int64_t column,
                                           int64_t c, const float* points, int64_t pitch,
                                           const Output& args) {
  V m[kPoints];
#pragma GCC unroll 16
  for (int i = 0; i < kPoints; ++i) {
    m[i] = Load<V>(points + i * pitch + c);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kSide; ++i) {
    Backward<kSide>(m + i);
  }
  Backward<1>(m);
  Backward<1>(m + kSide);
  const V bias = Load<V>(args.bias + c);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int64_t y = row + i / 2;
    const int64_t x = column + i % 2;
    if (y < g.out_height && x < g.out_width) {
      const int64_t at = (y * g.out_width + x) * args.pitch + c;
      V sum = m[i / 2 * kSide + i % 2] + bias;
      if (args.residual != nullptr) {
        sum += Load<V>(args.residual + at);
      }
      Store(args.y + at, Min(Splat<V>(args.range.high), Max(Splat<V>(args.range.low), sum)));
    }
  }
}

TERMINUS_SIMD_CLONES void FinishTile(const Geometry& g, int64_t tile, const float* points,
                                     int64_t pitch, const Output& args) {
  const int64_t row = tile / Columns(g) * 2;
  const int64_t column = tile % Columns(g) * 2;
  int64_t c = 0;
  for (; c + kLanes <= args.channels; c += kLanes) {
    FinishChannels<Vec>(g, row, column, c, points, pitch, args);
  }
  if (c < args.channels) {
    FinishChannels<VecOf<8>>(g, row, column, c, points, pitch, args);
  }
}

}  // namespace

std::vector<float> TransformWeight(const float* weight, int64_t out, int64_t in) {
  constexpr double kG[kSide][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  std::vector<float> points(out * kPoints * in);
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      const float* const taps = weight + (o * in + i) * 9;
      for (int p = 0; p < kPoints; ++p) {
        double sum = 0;
        for (int t = 0; t < 9; ++t) {
          sum += kG[p / kSide][t / 3] * kG[p % kSide][t % 3] * static_cast<double>(taps[t]);
        }
        points[(o * kPoints + p) * in + i] = static_cast<float>(sum);
      }
    }
  }
  return points;
}

void TransformInput(const Geometry& g, int64_t channels, int64_t first, int64_t last,
                    const float* x, float* points) {
  for (int64_t tile = first; tile < last; ++tile) {
    const int64_t top = tile / Columns(g) * 2 - g.pad_top;
    const int64_t left = tile % Columns(g) * 2 - g.pad_left;
    const float* inputs[kPoints];
    for (int i = 0; i < kPoints; ++i) {
      const int64_t row = top + i / kSide;
      const int64_t column = left + i % kSide;
      const bool inside = row >= 0 && row < g.in_height && column >= 0 && column < g.in_width;
      inputs[i] = inside ? x + (row * g.in_width + column) * channels : nullptr;
    }
    TransformTile(inputs, channels, points + (tile - first) * channels, (last - first) * channels);
  }
}

void TransformOutput(const Geometry& g, int64_t first, int64_t last, const Output& args) {
  for (int64_t tile = first; tile < last; ++tile) {
    FinishTile(g, tile, args.points + (tile - first) * args.channels,
               (last - first) * args.channels, args);
  }
}

}  // namespace terminus::models::kernels::winograd
