#include "models/kernels/gemm/packed_gemm.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "models/kernels/simd.h"

#if defined(__x86_64__)
#define TERMINUS_AVX512 __attribute__((target("avx512f")))
#else
#define TERMINUS_AVX512
#endif

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// A panel is two vectors of outputs for all inputs, [in, 32]; the last is one vector, [in, 16],
// where the outputs fit.
constexpr int64_t kPanel = 2 * kLanes;

// Rows of one tile: 12 × 2 sums, 2 weights and an input fill the 32 registers.
constexpr int kTileRows = 12;

// Inputs of the rows that share a pass over the panels: half a megabyte stays in the second-level
// cache, beside a panel.
constexpr int64_t kChunkInputs = 1 << 17;

int64_t PaddedOut(int64_t out) { return (out + kLanes - 1) / kLanes * kLanes; }

// x / (1 + e^-z), which is x · sigmoid(z) without an overflow for any z.
TERMINUS_ALWAYS_INLINE Vec TimesSigmoid(Vec x, Vec z) {
  const Vec magnitude = z < 0.0f ? z : -z;
  const Vec e = ExpOfNegative(magnitude);
  return x * (z < 0.0f ? e : Splat(1)) / (1.0f + e);
}

// x / 2 · (1 + erf(x / √2)), erf by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7).
TERMINUS_ALWAYS_INLINE Vec Gelu(Vec x) {
  const Vec magnitude = (x < 0.0f ? -x : x) * 0.70710678118654752f;
  const Vec t = 1.0f / (1.0f + 0.3275911f * magnitude);
  Vec p = Splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  // The tail: 1 - erf(|x| / √2).
  const Vec tail = p * t * ExpOfNegative(-magnitude * magnitude);
  return 0.5f * x * (x < 0.0f ? tail : 2.0f - tail);
}

template <Activation kActivation>
TERMINUS_ALWAYS_INLINE Vec Apply(Vec x) {
  switch (kActivation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return Max(x, Splat(0));
    case Activation::kRelu6:
      return Min(Max(x, Splat(0)), Splat(6));
    case Activation::kGelu:
      return Gelu(x);
    case Activation::kGeluTanh:
      return TimesSigmoid(x, 1.5957691216057308f * (x + 0.044715f * x * x * x));
  }
  return x;
}

// Stores the first `count` of a vector's elements, with what else is to be added.
template <Activation kActivation>
TERMINUS_ALWAYS_INLINE void Finish(const GemmArgs& args, Vec sum, int64_t row, int64_t column,
                                   int64_t count) {
  const int64_t at = row * args.out + column;
  if (count >= kLanes) {
    if (args.bias != nullptr) {
      sum += Load(args.bias + column);
    }
    sum = Apply<kActivation>(sum);
    if (args.residual != nullptr) {
      sum += Load(args.residual + at);
    }
    Store(args.y + at, sum);
    return;
  }
  Vec bias = {};
  Vec residual = {};
  if (args.bias != nullptr) {
    std::memcpy(&bias, args.bias + column, count * sizeof(float));
  }
  if (args.residual != nullptr) {
    std::memcpy(&residual, args.residual + at, count * sizeof(float));
  }
  sum = Apply<kActivation>(sum + bias) + residual;
  std::memcpy(args.y + at, &sum, count * sizeof(float));
}

// kRows × (kVectors · 16) outputs.
template <int kRows, int kVectors, Activation kActivation>
TERMINUS_AVX512 void Tile(const GemmArgs& args, const float* panel, int64_t row, int64_t column) {
  // The lines to be written come from far; asked for now, they are here when the sums are done.
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      __builtin_prefetch(args.y + (row + r) * args.out + column + v * kLanes, /*rw=*/1);
    }
  }
  Vec sum[kRows][kVectors] = {};
  const float* x = args.x + row * args.in;
  for (int64_t k = 0; k < args.in; ++k) {
    Vec w[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      w[v] = Load(panel + k * kVectors * kLanes + v * kLanes);
    }
    for (int r = 0; r < kRows; ++r) {
      const float input = x[r * args.in + k];
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] += input * w[v];
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t first = column + v * kLanes;
      if (first < args.out) {
        Finish<kActivation>(args, sum[r][v], row + r, first, args.out - first);
      }
    }
  }
}

using TileFunction = void (*)(const GemmArgs&, const float*, int64_t, int64_t);

// Tiles of 1 to kTileRows rows.
template <int kVectors, Activation kActivation, int... kRows>
constexpr std::array<TileFunction, kTileRows> MakeTiles(std::integer_sequence<int, kRows...>) {
  return {&Tile<kRows + 1, kVectors, kActivation>...};
}

template <Activation kActivation>
constexpr std::array<TileFunction, kTileRows> kTiles[2] = {
    MakeTiles<1, kActivation>(std::make_integer_sequence<int, kTileRows>()),
    MakeTiles<2, kActivation>(std::make_integer_sequence<int, kTileRows>())};

const std::array<TileFunction, kTileRows>* TilesFor(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return kTiles<Activation::kNone>;
    case Activation::kRelu:
      return kTiles<Activation::kRelu>;
    case Activation::kRelu6:
      return kTiles<Activation::kRelu6>;
    case Activation::kGelu:
      return kTiles<Activation::kGelu>;
    case Activation::kGeluTanh:
      return kTiles<Activation::kGeluTanh>;
  }
  return kTiles<Activation::kNone>;
}

// Rows [begin, end) times panels [first, last).
void Block(const GemmArgs& args, const std::array<TileFunction, kTileRows>* tiles, int64_t begin,
           int64_t end, int64_t first, int64_t last) {
  // Tiles of about equal height: 8 and 8 rows rather than 12 and 4.
  const int64_t count = (end - begin + kTileRows - 1) / kTileRows;
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t column = panel * kPanel;
    const float* weight = args.weight + column * args.in;
    const int vectors = PaddedOut(args.out) - column > kLanes ? 2 : 1;
    int64_t row = begin;
    for (int64_t tile = 0; tile < count; ++tile) {
      const int64_t next = begin + (end - begin) * (tile + 1) / count;
      tiles[vectors - 1][next - row - 1](args, weight, row, column);
      row = next;
    }
  }
}

}  // namespace

bool PackedGemmSupported() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

int64_t PackedSize(int64_t in, int64_t out) { return in * PaddedOut(out); }

void PackWeight(const float* weight, int64_t in, int64_t out, float* packed) {
  const int64_t padded = PaddedOut(out);
  for (int64_t column = 0; column < padded; column += kPanel) {
    const int64_t width = std::min(kPanel, padded - column);
    float* panel = packed + column * in;
    for (int64_t k = 0; k < in; ++k) {
      for (int64_t j = 0; j < width; ++j) {
        panel[k * width + j] = column + j < out ? weight[(column + j) * in + k] : 0;
      }
    }
  }
}

void PackedGemm(const GemmArgs& args) {
  const auto* const tiles = TilesFor(args.activation);
  const int64_t panels = (args.out + kPanel - 1) / kPanel;
  const int64_t chunk_rows = std::max<int64_t>(kTileRows, kChunkInputs / args.in);
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
      Block(args, tiles, args.rows * chunk / chunks, args.rows * (chunk + 1) / chunks,
            panels * group / groups, panels * (group + 1) / groups);
    }
  });
}

}  // namespace terminus::models::kernels
