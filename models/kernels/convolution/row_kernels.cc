#include "models/kernels/convolution/row_kernels.h"

#include <algorithm>
#include <cstring>

#include "models/kernels/simd.h"
#include "models/kernels/simd_width.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

template <typename V>
TERMINUS_ALWAYS_INLINE V Clamp(V x, const Range& range) {
  return Min(Splat<V>(range.high), Max(Splat<V>(range.low), x));
}

// Stores what of a vector belongs to the panel, with what it starts from.
template <typename V>
TERMINUS_ALWAYS_INLINE void Finish(const PanelProduct& args, V sum, int64_t pixel, int64_t column) {
  constexpr int64_t kWidth = kLanesOf<V>;
  const float* start =
      args.start == nullptr ? nullptr : args.start + pixel * args.start_stride + column;
  float* y = args.y + pixel * args.y_stride + column;
  const int64_t count = args.columns - column;
  if (count >= kWidth) {
    if (start != nullptr) {
      sum += Load<V>(start);
    }
    Store(y, Clamp(sum, args.range));
    return;
  }
  if (count <= 0) {
    return;
  }
  V tail = {};
  if (start != nullptr) {
    std::memcpy(&tail, start, count * sizeof(float));
  }
  tail = Clamp(V(tail + sum), args.range);
  std::memcpy(y, &tail, count * sizeof(float));
}

// kPixels × (kVectors · width) outputs, held in registers. With kFetches, what is `ahead` is
// fetched, `step` floats with each input.
template <typename V, int kPixels, int kVectors, bool kFetches>
TERMINUS_ALWAYS_INLINE void Tile(const PanelProduct& args, int64_t pixel, const float* ahead,
                                 int64_t step) {
  constexpr int64_t kWidth = kLanesOf<V>;
  V sum[kPixels][kVectors];
#pragma GCC unroll 3
  for (int v = 0; v < kVectors; ++v) {
    const V bias = args.bias == nullptr ? V{} : Load<V>(args.bias + v * kWidth);
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) {
      sum[p][v] = bias;
    }
  }
  const float* weight = args.weight;
  for (int64_t run = 0; run < args.runs; ++run) {
    const float* x = args.x + pixel * args.x_stride + run * args.run_pitch;
    for (int64_t k = 0; k < args.run_length; ++k) {
      V w[kVectors];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) {
        w[v] = Load<V>(weight + v * kWidth);
      }
      if constexpr (kFetches) {
        __builtin_prefetch(ahead, /*rw=*/0, /*locality=*/2);
        ahead += step;
      }
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p) {
        const float input = x[p * args.x_stride + k];
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) {
          sum[p][v] += input * w[v];
        }
      }
      weight += kVectors * kWidth;
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      Finish(args, sum[p][v], pixel + p, v * kWidth);
    }
  }
}

// A tile of 1 to kPixels pixels.
template <typename V, int kPixels, int kVectors, bool kFetches>
TERMINUS_ALWAYS_INLINE void TileOf(int64_t pixels, const PanelProduct& args, int64_t pixel,
                                   const float* ahead, int64_t step) {
  if (pixels == kPixels) {
    Tile<V, kPixels, kVectors, kFetches>(args, pixel, ahead, step);
  } else if constexpr (kPixels > 1) {
    TileOf<V, kPixels - 1, kVectors, kFetches>(pixels, args, pixel, ahead, step);
  }
}

template <typename V, int kPixels, int kVectors, bool kFetches>
TERMINUS_ALWAYS_INLINE void RunTiles(const PanelProduct& args) {
  // Tiles of about equal height: 4 and 3 pixels of 7, not one tile that waits for its own sums.
  const int64_t tiles = std::max<int64_t>(1, (args.pixels + kPixels - 1) / kPixels);
  const int64_t height = args.pixels / tiles;
  const int64_t higher = args.pixels % tiles;  // So many have a pixel more.
  const int64_t inputs = args.runs * args.run_length;
  const int64_t step = kFetches ? (args.ahead_floats + tiles * inputs - 1) / (tiles * inputs) : 0;
  const float* ahead = args.ahead;
  int64_t pixel = 0;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t pixels = height + (tile < higher ? 1 : 0);
    TileOf<V, kPixels, kVectors, kFetches>(pixels, args, pixel, ahead, step);
    pixel += pixels;
    ahead += step * inputs;
  }
}

template <typename V, int kPixels, int kVectors>
TERMINUS_ALWAYS_INLINE void RunProduct(const PanelProduct& args) {
  if (args.ahead_floats > 0) {
    RunTiles<V, kPixels, kVectors, true>(args);
  } else {
    RunTiles<V, kPixels, kVectors, false>(args);
  }
}

// `kCount` outputs side by side, which share the weights and most of the inputs they load.
template <typename V, int kKernel, int kStride, int kCount>
TERMINUS_ALWAYS_INLINE void Outputs(const DepthwiseRow& args, int64_t x, int64_t column) {
  constexpr int kInputs = (kCount - 1) * kStride + kKernel;
  const int64_t panel = args.vectors * kLanesOf<V>;
  V sum[kCount];
#pragma GCC unroll 4
  for (int o = 0; o < kCount; ++o) {
    sum[o] = Load<V>(args.bias + column);
  }
  for (int i = args.first; i < args.last; ++i) {
    const float* row = args.rows[i] + x * kStride * panel + column;
    const float* weight = args.weight + i * kKernel * panel + column;
    V in[kInputs];
#pragma GCC unroll 11
    for (int j = 0; j < kInputs; ++j) {
      in[j] = Load<V>(row + j * panel);
    }
#pragma GCC unroll 5
    for (int j = 0; j < kKernel; ++j) {
      const V w = Load<V>(weight + j * panel);
#pragma GCC unroll 4
      for (int o = 0; o < kCount; ++o) {
        sum[o] += w * in[o * kStride + j];
      }
    }
  }
#pragma GCC unroll 4
  for (int o = 0; o < kCount; ++o) {
    Store(args.out + (x + o) * args.out_stride + column, Clamp(sum[o], kRelu6));
  }
}

template <typename V, int kKernel, int kStride>
TERMINUS_ALWAYS_INLINE void RunDepthwise(const DepthwiseRow& args) {
  for (int v = 0; v < args.vectors; ++v) {
    const int64_t column = v * kLanesOf<V>;
    int64_t x = 0;
    for (; x + 4 <= args.out_width; x += 4) {
      Outputs<V, kKernel, kStride, 4>(args, x, column);
    }
    switch (args.out_width - x) {
      case 3:
        Outputs<V, kKernel, kStride, 3>(args, x, column);
        break;
      case 2:
        Outputs<V, kKernel, kStride, 2>(args, x, column);
        break;
      case 1:
        Outputs<V, kKernel, kStride, 1>(args, x, column);
        break;
      default:
        break;
    }
  }
}

// What each instruction set makes of these loops. The tiles fill its registers: sums, the weights
// of a panel and one input.
struct Avx512 {
  static constexpr char kName[] = "AVX-512";
  static constexpr int kWidth = 16;
  static constexpr int kPixels = 8;

  template <int kVectors>
  TERMINUS_AVX512 static void Product(const PanelProduct& args) {
    RunProduct<VecOf<kWidth>, kPixels, kVectors>(args);
  }
  template <int kKernel, int kStride>
  TERMINUS_AVX512 static void Depthwise(const DepthwiseRow& args) {
    RunDepthwise<VecOf<kWidth>, kKernel, kStride>(args);
  }
};

struct Avx2 {
  static constexpr char kName[] = "AVX2";
  static constexpr int kWidth = 8;
  static constexpr int kPixels = 4;

  template <int kVectors>
  TERMINUS_AVX2 static void Product(const PanelProduct& args) {
    RunProduct<VecOf<kWidth>, kPixels, kVectors>(args);
  }
  template <int kKernel, int kStride>
  TERMINUS_AVX2 static void Depthwise(const DepthwiseRow& args) {
    RunDepthwise<VecOf<kWidth>, kKernel, kStride>(args);
  }
};

// Whatever the compiler may assume; vectors of 8 become two of 4.
struct Portable {
  static constexpr char kName[] = "portable";
  static constexpr int kWidth = 8;
  static constexpr int kPixels = 4;

  template <int kVectors>
  static void Product(const PanelProduct& args) {
    RunProduct<VecOf<kWidth>, kPixels, kVectors>(args);
  }
  template <int kKernel, int kStride>
  static void Depthwise(const DepthwiseRow& args) {
    RunDepthwise<VecOf<kWidth>, kKernel, kStride>(args);
  }
};

template <typename Isa>
constexpr RowKernels kKernels = {
    .name = Isa::kName,
    .width = Isa::kWidth,
    .products = {&Isa::template Product<1>, &Isa::template Product<2>, &Isa::template Product<3>},
    .depthwise = {{&Isa::template Depthwise<3, 1>, &Isa::template Depthwise<3, 2>},
                  {&Isa::template Depthwise<5, 1>, &Isa::template Depthwise<5, 2>}}};

}  // namespace

std::vector<const RowKernels*> SupportedRowKernels() {
  std::vector<const RowKernels*> supported;
  if (SimdSupports(Avx512::kWidth)) {
    supported.push_back(&kKernels<Avx512>);
  }
  if (SimdSupports(Avx2::kWidth)) {
    supported.push_back(&kKernels<Avx2>);
  }
  supported.push_back(&kKernels<Portable>);
  return supported;
}

}  // namespace terminus::models::kernels
