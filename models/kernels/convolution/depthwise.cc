#include "models/kernels/convolution/depthwise.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// Outputs side by side that share the weights and most of the inputs they load.
constexpr int kOutputs = 4;

// Channels come in vectors of 16; a last half vector of 8 is loaded and stored by halves.
template <bool kHalf>
TERMINUS_ALWAYS_INLINE Vec LoadChannels(const float* from) {
  if constexpr (kHalf) {
    Vec value = {};
    std::memcpy(&value, from, sizeof(value) / 2);
    return value;
  }
  return Load(from);
}

template <bool kHalf>
TERMINUS_ALWAYS_INLINE void StoreChannels(float* to, Vec value) {
  if constexpr (kHalf) {
    std::memcpy(to, &value, sizeof(value) / 2);
  } else {
    Store(to, value);
  }
}

// Taps of one axis that lie inside the image: [first, last).
struct Taps {
  int first;
  int last;
};

TERMINUS_ALWAYS_INLINE Taps TapsInside(int64_t start, int64_t size, int kernel) {
  return {static_cast<int>(std::max<int64_t>(0, -start)),
          static_cast<int>(std::min<int64_t>(kernel, size - start))};
}

// `kCount` outputs from x on, of one vector of channels; all taps of a row are inside the image.
// `in` points at the row's first tap, `rows` are the kernel's rows inside the image.
template <int kKernel, int kStride, int kCount, bool kHalf>
TERMINUS_ALWAYS_INLINE void Inside(const DepthwiseArgs& args, const float* in, Taps rows,
                                   int64_t channel, float* out) {
  constexpr int kInputs = (kCount - 1) * kStride + kKernel;
  const Vec bias = LoadChannels<kHalf>(args.bias + channel);
  Vec sum[kCount];
  for (int o = 0; o < kCount; ++o) {
    sum[o] = bias;
  }
  for (int i = rows.first; i < rows.last; ++i) {
    const float* row = in + i * args.in_width * args.channels;
    const float* weight = args.weight + i * kKernel * args.channels + channel;
    Vec x[kInputs];
    for (int j = 0; j < kInputs; ++j) {
      x[j] = LoadChannels<kHalf>(row + j * args.channels);
    }
    for (int j = 0; j < kKernel; ++j) {
      const Vec w = LoadChannels<kHalf>(weight + j * args.channels);
      for (int o = 0; o < kCount; ++o) {
        sum[o] += w * x[o * kStride + j];
      }
    }
  }
  for (int o = 0; o < kCount; ++o) {
    StoreChannels<kHalf>(out + o * args.channels,
                         Min(Max(sum[o], Splat(args.low)), Splat(args.high)));
  }
}

// One output at the left or right border.
template <int kKernel, bool kHalf>
TERMINUS_ALWAYS_INLINE void AtBorder(const DepthwiseArgs& args, const float* in, Taps rows,
                                     Taps columns, int64_t channel, float* out) {
  Vec sum = LoadChannels<kHalf>(args.bias + channel);
  for (int i = rows.first; i < rows.last; ++i) {
    for (int j = columns.first; j < columns.last; ++j) {
      sum += LoadChannels<kHalf>(args.weight + (i * kKernel + j) * args.channels + channel) *
             LoadChannels<kHalf>(in + (i * args.in_width + j) * args.channels);
    }
  }
  StoreChannels<kHalf>(out, Min(Max(sum, Splat(args.low)), Splat(args.high)));
}

// One vector of channels of one row of outputs.
template <int kKernel, int kStride, bool kHalf>
TERMINUS_ALWAYS_INLINE void Row(const DepthwiseArgs& args, int64_t n, int64_t y, int64_t channel) {
  const int64_t top = y * kStride - args.pad_top;
  const Taps rows = TapsInside(top, args.in_height, kKernel);
  // May point before the image; only taps inside it are read.
  const float* in = args.in +
                    ((n * args.in_height + top) * args.in_width - args.pad_left) * args.channels +
                    channel;
  float* out = args.out + (n * args.out_height + y) * args.out_width * args.channels + channel;
  // Outputs whose taps are all inside: [begin, end).
  const int64_t begin = std::min(args.out_width, (args.pad_left + kStride - 1) / kStride);
  const int64_t last = args.in_width + args.pad_left - kKernel;
  const int64_t end = last < 0 ? begin : std::clamp(last / kStride + 1, begin, args.out_width);
  int64_t x = 0;
  const auto border = [&](int64_t until) __attribute__((always_inline)) {
    for (; x < until; ++x) {
      AtBorder<kKernel, kHalf>(args, in + x * kStride * args.channels, rows,
                               TapsInside(x * kStride - args.pad_left, args.in_width, kKernel),
                               channel, out + x * args.channels);
    }
  };
  border(begin);
  for (; x + kOutputs <= end; x += kOutputs) {
    Inside<kKernel, kStride, kOutputs, kHalf>(args, in + x * kStride * args.channels, rows, channel,
                                              out + x * args.channels);
  }
  for (; x < end; ++x) {
    Inside<kKernel, kStride, 1, kHalf>(args, in + x * kStride * args.channels, rows, channel,
                                       out + x * args.channels);
  }
  border(args.out_width);
}

template <int kKernel, int kStride>
TERMINUS_ALWAYS_INLINE void Rows(const DepthwiseArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t n = i / args.out_height;
    const int64_t y = i % args.out_height;
    int64_t channel = 0;
    for (; channel + kLanes <= args.channels; channel += kLanes) {
      Row<kKernel, kStride, false>(args, n, y, channel);
    }
    if (channel < args.channels) {
      Row<kKernel, kStride, true>(args, n, y, channel);
    }
  }
}

TERMINUS_SIMD_CLONES void Rows3x1(const DepthwiseArgs& args, int64_t begin, int64_t end) {
  Rows<3, 1>(args, begin, end);
}

TERMINUS_SIMD_CLONES void Rows3x2(const DepthwiseArgs& args, int64_t begin, int64_t end) {
  Rows<3, 2>(args, begin, end);
}

TERMINUS_SIMD_CLONES void Rows5x1(const DepthwiseArgs& args, int64_t begin, int64_t end) {
  Rows<5, 1>(args, begin, end);
}

TERMINUS_SIMD_CLONES void Rows5x2(const DepthwiseArgs& args, int64_t begin, int64_t end) {
  Rows<5, 2>(args, begin, end);
}

}  // namespace

bool DepthwiseSupports(int64_t channels, int kernel, int stride) {
  return channels % (kLanes / 2) == 0 && (kernel == 3 || kernel == 5) &&
         (stride == 1 || stride == 2);
}

void Depthwise(const DepthwiseArgs& args) {
  const auto rows = args.kernel == 3 ? (args.stride == 1 ? Rows3x1 : Rows3x2)
                                     : (args.stride == 1 ? Rows5x1 : Rows5x2);
  // Some 64k multiplications are worth waking another thread.
  const int64_t work = args.out_width * args.channels * args.kernel * args.kernel;
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, work));
  at::parallel_for(0, args.batch * args.out_height, grain,
                   [&](int64_t begin, int64_t end) { rows(args, begin, end); });
}

}  // namespace terminus::models::kernels
