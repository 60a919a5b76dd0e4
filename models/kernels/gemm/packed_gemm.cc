#include "models/kernels/gemm/packed_gemm.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// A panel is two vectors of outputs for all inputs, [in, 2 · width]; the last is one vector,
// [in, width], where the outputs fit.
int64_t PaddedOut(int64_t out, int64_t width) { return (out + width - 1) / width * width; }

// x / (1 + e^-z), which is x · sigmoid(z) without an overflow for any z.
template <typename V>
TERMINUS_ALWAYS_INLINE V TimesSigmoid(V x, V z) {
  const V magnitude = z < 0.0f ? z : -z;
  const V e = ExpOfNegative(magnitude);
  return x * (z < 0.0f ? e : Splat<V>(1)) / (1.0f + e);
}

// x / 2 · (1 + erf(x / √2)), erf by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7).
template <typename V>
TERMINUS_ALWAYS_INLINE V Gelu(V x) {
  const V magnitude = (x < 0.0f ? -x : x) * 0.70710678118654752f;
  const V t = 1.0f / (1.0f + 0.3275911f * magnitude);
  V p = Splat<V>(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  // The tail: 1 - erf(|x| / √2).
  const V tail = p * t * ExpOfNegative(-magnitude * magnitude);
  return 0.5f * x * (x < 0.0f ? tail : 2.0f - tail);
}

template <Activation kActivation, typename V>
TERMINUS_ALWAYS_INLINE V Apply(V x) {
  switch (kActivation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return Max(x, Splat<V>(0));
    case Activation::kRelu6:
      return Min(Max(x, Splat<V>(0)), Splat<V>(6));
    case Activation::kGelu:
      return Gelu(x);
    case Activation::kGeluTanh:
      return TimesSigmoid(x, 1.5957691216057308f * (x + 0.044715f * x * x * x));
    case Activation::kQuickGelu:
      return TimesSigmoid(x, 1.702f * x);
  }
  return x;
}

// Stores the first `count` of a vector's elements, with what else is to be added.
template <Activation kActivation, typename V>
TERMINUS_ALWAYS_INLINE void Finish(const GemmArgs& args, V sum, int64_t row, int64_t column,
                                   int64_t count) {
  const int64_t at = row * args.out + column;
  if (count >= kLanesOf<V>) {
    if (args.bias != nullptr) {
      sum += Load<V>(args.bias + column);
    }
    sum = Apply<kActivation>(sum);
    if (args.residual != nullptr) {
      sum += Load<V>(args.residual + at);
    }
    Store(args.y + at, sum);
    return;
  }
  V bias = {};
  V residual = {};
  if (args.bias != nullptr) {
    std::memcpy(&bias, args.bias + column, count * sizeof(float));
  }
  if (args.residual != nullptr) {
    std::memcpy(&residual, args.residual + at, count * sizeof(float));
  }
  sum = Apply<kActivation>(V(sum + bias)) + residual;
  std::memcpy(args.y + at, &sum, count * sizeof(float));
}

// What a tile works on.
struct Place {
  const float* panel;
  // The tiles of a panel fetch the next one into the cache, each its share: this one reads on from
  // `ahead`, `step` floats for each input.
  const float* ahead;
  int64_t step;
  int64_t row;
  int64_t column;
};

// kRows × (kVectors · width) outputs.
template <typename V, int kRows, int kVectors, Activation kActivation>
TERMINUS_ALWAYS_INLINE void Tile(const GemmArgs& args, const Place& place) {
  constexpr int64_t kWidth = kLanesOf<V>;
  const int64_t row = place.row;
  const int64_t column = place.column;
  // The lines to be written come from far; asked for now, they are here when the sums are done.
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v) {
      __builtin_prefetch(args.y + (row + r) * args.out + column + v * kWidth, /*rw=*/1);
    }
  }
  V sum[kRows][kVectors] = {};
  const float* x = args.x + row * args.in;
  const float* ahead = place.ahead;
  for (int64_t k = 0; k < args.in; ++k) {
    V w[kVectors];
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v) {
      w[v] = Load<V>(place.panel + k * kVectors * kWidth + v * kWidth);
    }
    __builtin_prefetch(ahead);
    ahead += place.step;
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const float input = x[r * args.in + k];
#pragma GCC unroll 12
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] += input * w[v];
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v) {
      const int64_t first = column + v * kWidth;
      if (first < args.out) {
        Finish<kActivation>(args, sum[r][v], row + r, first, args.out - first);
      }
    }
  }
}

using TileFunction = void (*)(const GemmArgs&, const Place&);

// The instruction sets. kRows of a tile, by its vectors less one, fill the registers: with
// AVX-512's 32, 12 × 2 sums, 2 weights and an input; with AVX2's 16, 6 × 2 or 12 × 1 sums.
// kChunkInputs of the rows that share a pass over the panels stay in the second-level cache, beside
// a panel: half a megabyte where it is a megabyte or two, as it is with AVX-512.
struct Avx512 {
  static constexpr int kWidth = 16;
  static constexpr int kRows[2] = {12, 12};
  static constexpr int64_t kChunkInputs = 1 << 17;
  template <int kTileRows, int kVectors, Activation kActivation>
  TERMINUS_AVX512 static void Run(const GemmArgs& args, const Place& place) {
    Tile<VecOf<kWidth>, kTileRows, kVectors, kActivation>(args, place);
  }
};

struct Avx2 {
  static constexpr int kWidth = 8;
  static constexpr int kRows[2] = {12, 6};
  static constexpr int64_t kChunkInputs = 1 << 16;
  template <int kTileRows, int kVectors, Activation kActivation>
  TERMINUS_AVX2 static void Run(const GemmArgs& args, const Place& place) {
    Tile<VecOf<kWidth>, kTileRows, kVectors, kActivation>(args, place);
  }
};

// Tiles of 1 to kRows rows.
template <typename Isa, int kVectors, Activation kActivation, int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> MakeTiles(
    std::integer_sequence<int, kRows...>) {
  return {&Isa::template Run<kRows + 1, kVectors, kActivation>...};
}

template <typename Isa, int kVectors, Activation kActivation>
constexpr auto kTiles = MakeTiles<Isa, kVectors, kActivation>(
    std::make_integer_sequence<int, Isa::kRows[kVectors - 1]>());

// The tiles of one activation, by vectors less one, and what else differs by instruction set.
struct Kernel {
  const TileFunction* tiles[2];
  int rows[2];
  int64_t width;
  int64_t chunk_inputs;
};

template <typename Isa, Activation kActivation>
constexpr Kernel kKernel = {
    .tiles = {kTiles<Isa, 1, kActivation>.data(), kTiles<Isa, 2, kActivation>.data()},
    .rows = {Isa::kRows[0], Isa::kRows[1]},
    .width = Isa::kWidth,
    .chunk_inputs = Isa::kChunkInputs};

template <typename Isa>
const Kernel& KernelFor(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return kKernel<Isa, Activation::kNone>;
    case Activation::kRelu:
      return kKernel<Isa, Activation::kRelu>;
    case Activation::kRelu6:
      return kKernel<Isa, Activation::kRelu6>;
    case Activation::kGelu:
      return kKernel<Isa, Activation::kGelu>;
    case Activation::kGeluTanh:
      return kKernel<Isa, Activation::kGeluTanh>;
    case Activation::kQuickGelu:
      return kKernel<Isa, Activation::kQuickGelu>;
  }
  return kKernel<Isa, Activation::kNone>;
}

// Rows [begin, end) times panels [first, last).
void Block(const GemmArgs& args, const Kernel& kernel, int64_t begin, int64_t end, int64_t first,
           int64_t last) {
  const int64_t panel_width = 2 * kernel.width;
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t column = panel * panel_width;
    const float* weight = args.weight + column * args.in;
    const int vectors = PaddedOut(args.out, kernel.width) - column > kernel.width ? 2 : 1;
    // Tiles of about equal height: 8 and 8 rows rather than 12 and 4.
    const int64_t rows = kernel.rows[vectors - 1];
    const int64_t count = (end - begin + rows - 1) / rows;
    const int64_t size = args.in * vectors * kernel.width;
    const float* ahead = panel + 1 < last ? weight + size : weight;
    const int64_t step = vectors * kernel.width / count;
    int64_t row = begin;
    for (int64_t tile = 0; tile < count; ++tile) {
      const int64_t next = begin + (end - begin) * (tile + 1) / count;
      kernel.tiles[vectors - 1][next - row - 1](args, {.panel = weight,
                                                       .ahead = ahead + tile * step * args.in,
                                                       .step = step,
                                                       .row = row,
                                                       .column = column});
      row = next;
    }
  }
}

}  // namespace

int64_t PackedSize(int64_t in, int64_t out, int width) { return in * PaddedOut(out, width); }

void PackWeight(const float* weight, int64_t in, int64_t out, float* packed, int width) {
  const int64_t padded = PaddedOut(out, width);
  const int64_t panel_width = 2 * width;
  for (int64_t column = 0; column < padded; column += panel_width) {
    const int64_t columns = std::min(panel_width, padded - column);
    float* panel = packed + column * in;
    for (int64_t k = 0; k < in; ++k) {
      for (int64_t j = 0; j < columns; ++j) {
        panel[k * columns + j] = column + j < out ? weight[(column + j) * in + k] : 0;
      }
    }
  }
}

void PackedGemm(const GemmArgs& args, int width) {
  const Kernel& kernel = width == Avx512::kWidth ? KernelFor<Avx512>(args.activation)
                                                 : KernelFor<Avx2>(args.activation);
  const int64_t panels = (args.out + 2 * width - 1) / (2 * width);
  const int64_t chunk_rows = std::max<int64_t>(kernel.rows[1], kernel.chunk_inputs / args.in);
  const int64_t chunks = (args.rows + chunk_rows - 1) / chunk_rows;
  // Chunks of rows are shared out, and where those are few their panels too.
  const int64_t threads = at::get_num_threads();
  const int64_t groups =
      std::min(panels, (2 * threads + chunks - 1) / std::max<int64_t>(1, chunks));
  // Some 256k multiplications are worth waking another thread.
  const int64_t work = args.rows * args.in * args.out / std::max<int64_t>(1, chunks * groups);
  const int64_t grain = std::max<int64_t>(1, (1 << 18) / std::max<int64_t>(1, work));
  at::parallel_for(0, chunks * groups, grain, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t chunk = unit / groups;
      const int64_t group = unit % groups;
      Block(args, kernel, args.rows * chunk / chunks, args.rows * (chunk + 1) / chunks,
            panels * group / groups, panels * (group + 1) / groups);
    }
  });
}

}  // namespace terminus::models::kernels
