#include "models/kernels/panels/panel_gemm.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "models/kernels/panels/lanes.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// Rows of the highest tile: its sums, a panel's two vectors and an input fill the registers.
template <int kHalf>
constexpr int kMaxRows = kHalf == 16 ? 12 : 6;

// Inputs of the rows that share a pass over the panels: half a megabyte stays in the second-level
// cache, beside a panel.
constexpr int64_t kChunkInputs = 1 << 17;

// Both halves of a panel at one input, as float32.
template <int kHalf>
TERMINUS_ALWAYS_INLINE void LoadPair(const BFloat16* from, FloatLanes<kHalf>& low,
                                     FloatLanes<kHalf>& high) {
  UintLanes<kHalf> raw;
  std::memcpy(&raw, from, sizeof(raw));
  low = std::bit_cast<FloatLanes<kHalf>>(raw << 16);
  high = std::bit_cast<FloatLanes<kHalf>>(raw & 0xffff0000u);
}

template <int kHalf>
TERMINUS_ALWAYS_INLINE void LoadPair(const float* from, FloatLanes<kHalf>& low,
                                     FloatLanes<kHalf>& high) {
  low = LoadLanes<kHalf>(from);
  high = LoadLanes<kHalf>(from + kHalf);
}

// Adds what else there is and stores the first `count` of one half's outputs.
template <int kHalf>
TERMINUS_ALWAYS_INLINE void StoreHalf(const PanelGemmArgs& args, FloatLanes<kHalf> sum, int64_t row,
                                      int64_t column) {
  const int64_t count = args.weight->out() - column;
  if (count <= 0) {
    return;
  }
  float* y = args.y + row * args.weight->out() + column;
  if (count >= kHalf) {
    if (args.bias != nullptr) {
      sum += LoadLanes<kHalf>(args.bias + column);
    }
    if (args.accumulate) {
      sum += LoadLanes<kHalf>(y);
    }
    StoreLanes<kHalf>(y, sum);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    y[i] =
        sum[i] + (args.bias == nullptr ? 0 : args.bias[column + i]) + (args.accumulate ? y[i] : 0);
  }
}

template <int kHalf>
TERMINUS_ALWAYS_INLINE void StoreGated(const PanelGemmArgs& args, FloatLanes<kHalf> gate,
                                       FloatLanes<kHalf> up, int64_t row, int64_t column) {
  const int64_t out = args.weight->out();
  const int64_t count = std::min<int64_t>(kHalf, out - column);
  if (args.bias != nullptr) {
    FloatLanes<kHalf> gate_bias = {};
    FloatLanes<kHalf> up_bias = {};
    std::memcpy(&gate_bias, args.bias + column, count * sizeof(float));
    std::memcpy(&up_bias, args.bias + out + column, count * sizeof(float));
    gate += gate_bias;
    up += up_bias;
  }
  const FloatLanes<kHalf> value = Silu<kHalf>(gate) * up;
  std::memcpy(args.y + row * out + column, &value, count * sizeof(float));
}

// kRows rows times kPanels panels.
template <int kHalf, class Weight, int kRows, int kPanels>
TERMINUS_ALWAYS_INLINE void Tile(const PanelGemmArgs& args, int64_t row, int64_t panel) {
  const PanelWeight& weight = *args.weight;
  const int64_t in = weight.in();
  const Weight* w[kPanels];
  for (int p = 0; p < kPanels; ++p) {
    w[p] = reinterpret_cast<const Weight*>(weight.panel(panel + p));
  }
  FloatLanes<kHalf> low[kRows][kPanels] = {};
  FloatLanes<kHalf> high[kRows][kPanels] = {};
  const float* x = args.x + row * in;
  for (int64_t k = 0; k < in; ++k) {
    for (int p = 0; p < kPanels; ++p) {
      FloatLanes<kHalf> a, b;
      LoadPair<kHalf>(w[p] + k * 2 * kHalf, a, b);
      for (int r = 0; r < kRows; ++r) {
        low[r][p] += x[r * in + k] * a;
        high[r][p] += x[r * in + k] * b;
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int p = 0; p < kPanels; ++p) {
      if (weight.paired()) {
        StoreGated<kHalf>(args, low[r][p], high[r][p], row + r, (panel + p) * kHalf);
      } else {
        StoreHalf<kHalf>(args, low[r][p], row + r, (panel + p) * 2 * kHalf);
        StoreHalf<kHalf>(args, high[r][p], row + r, (panel + p) * 2 * kHalf + kHalf);
      }
    }
  }
}

// Rows of few tiles are bound by the memory that the panels come from, or by the latency of their
// sums: several panels at once have more of both under way.
template <int kHalf, int kRows>
constexpr int kWidth = std::max(1, kMaxRows<kHalf> / kRows > 4 ? 4 : kMaxRows<kHalf> / kRows);

template <int kHalf, class Weight, int kRows>
TERMINUS_ALWAYS_INLINE void TilePanels(const PanelGemmArgs& args, int64_t row, int64_t first,
                                       int64_t last) {
  constexpr int kPanels = kWidth<kHalf, kRows>;
  int64_t panel = first;
  for (; panel + kPanels <= last; panel += kPanels) {
    Tile<kHalf, Weight, kRows, kPanels>(args, row, panel);
  }
  if constexpr (kPanels > 1) {
    for (; panel < last; ++panel) {
      Tile<kHalf, Weight, kRows, 1>(args, row, panel);
    }
  }
}

// One function for each instruction set, weight type and number of rows, all from the same source.
template <class Weight, int kRows>
struct Generic {
  static void Run(const PanelGemmArgs& args, int64_t row, int64_t first, int64_t last) {
    TilePanels<8, Weight, kRows>(args, row, first, last);
  }
};
template <class Weight, int kRows>
struct Avx2 {
  TERMINUS_TARGET_AVX2 static void Run(const PanelGemmArgs& args, int64_t row, int64_t first,
                                       int64_t last) {
    TilePanels<8, Weight, kRows>(args, row, first, last);
  }
};
template <class Weight, int kRows>
struct Avx512 {
  TERMINUS_TARGET_AVX512 static void Run(const PanelGemmArgs& args, int64_t row, int64_t first,
                                         int64_t last) {
    TilePanels<16, Weight, kRows>(args, row, first, last);
  }
};

using TileFunction = void (*)(const PanelGemmArgs&, int64_t, int64_t, int64_t);

// The functions of 1 to `max_rows` rows.
struct Tiles {
  const TileFunction* of;
  int max_rows;
};

template <template <class, int> class Target, class Weight, int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> Make(std::integer_sequence<int, kRows...>) {
  return {&Target<Weight, kRows + 1>::Run...};
}

template <template <class, int> class Target, class Weight, int kRows>
constexpr std::array<TileFunction, kRows> kTiles =
    Make<Target, Weight>(std::make_integer_sequence<int, kRows>());

template <template <class, int> class Target, int kHalf>
Tiles TilesOf(WeightType type) {
  constexpr int kRows = kMaxRows<kHalf>;
  return {type == WeightType::kBFloat16 ? kTiles<Target, BFloat16, kRows>.data()
                                        : kTiles<Target, float, kRows>.data(),
          kRows};
}

Tiles TilesFor(const PanelWeight& weight) {
  switch (weight.isa()) {
    case Isa::kAvx512:
      return TilesOf<Avx512, 16>(weight.type());
    case Isa::kAvx2:
      return TilesOf<Avx2, 8>(weight.type());
    case Isa::kGeneric:
      break;
  }
  return TilesOf<Generic, 8>(weight.type());
}

int64_t ElementBytes(WeightType type) {
  return type == WeightType::kBFloat16 ? sizeof(BFloat16) : sizeof(float);
}

float Widen(BFloat16 value) { return ToFloat(value); }
float Widen(float value) { return value; }

void Put(float value, float* to) { *to = value; }
void Put(float value, BFloat16* to) { *to = ToBFloat16(value); }

// A mask and a shift of 32 bits must find the two halves' elements side by side.
int64_t Place(const BFloat16*, int, int lane, int which) { return 2 * lane + which; }
int64_t Place(const float*, int half, int lane, int which) { return lane + which * half; }

template <class T, class Weight>
void Scatter(const T* from, int64_t in, int half, int lane, int which, Weight* panel) {
  Weight* to = panel + Place(panel, half, lane, which);
  for (int64_t k = 0; k < in; ++k) {
    Put(Widen(from[k]), to + k * 2 * half);
  }
}

}  // namespace

int HalfPanel(Isa isa) { return isa == Isa::kAvx512 ? 16 : 8; }

PanelWeight::PanelWeight(Isa isa, WeightType type, int64_t in, int64_t out, bool paired,
                         std::shared_ptr<PanelArena> arena)
    : isa_(isa),
      type_(type),
      in_(in),
      out_(out),
      paired_(paired),
      arena_(arena == nullptr ? std::make_shared<PanelArena>() : std::move(arena)) {
  const int64_t outputs = HalfPanel(isa) * (paired ? 1 : 2);
  panels_ = (out + outputs - 1) / outputs;
  panel_bytes_ = in * 2 * HalfPanel(isa) * ElementBytes(type);
  data_ = arena_->Allocate(panels_ * panel_bytes_);
}

template <class T>
void PanelWeight::Set(absl::Span<const T> from, int64_t row, int which) {
  TERMINUS_CHECK(from.size() % in_ == 0 && row + static_cast<int64_t>(from.size()) / in_ <= out_);
  const int half = HalfPanel(isa_);
  const int64_t rows = from.size() / in_;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t output = row + i;
    const int64_t panel = output / (paired_ ? half : 2 * half);
    const int lane = static_cast<int>(output % half);
    const int side = paired_ ? which : static_cast<int>(output / half % 2);
    std::byte* to = data_ + panel * panel_bytes_;
    if (type_ == WeightType::kBFloat16) {
      Scatter(from.data() + i * in_, in_, half, lane, side, reinterpret_cast<BFloat16*>(to));
    } else {
      Scatter(from.data() + i * in_, in_, half, lane, side, reinterpret_cast<float*>(to));
    }
  }
}

void PanelWeight::SetRows(absl::Span<const BFloat16> from, int64_t row, int which) {
  Set(from, row, which);
}

void PanelWeight::SetRows(absl::Span<const float> from, int64_t row, int which) {
  Set(from, row, which);
}

void PanelGemm(const PanelGemmArgs& args, int64_t first, int64_t last) {
  const Tiles tiles = TilesFor(*args.weight);
  const int64_t chunk_rows = std::max<int64_t>(tiles.max_rows, kChunkInputs / args.weight->in());
  // A few panels at a time, so that they stay in the cache while the rows go by.
  const int64_t width = args.rows > tiles.max_rows ? 1 : last - first;
  for (int64_t chunk = 0; chunk < args.rows; chunk += chunk_rows) {
    const int64_t rows = std::min(chunk_rows, args.rows - chunk);
    // Tiles of about equal height: 4 and 4 rows rather than 6 and 2.
    const int64_t count = (rows + tiles.max_rows - 1) / tiles.max_rows;
    for (int64_t panel = first; panel < last; panel += width) {
      for (int64_t tile = 0; tile < count; ++tile) {
        const int64_t begin = rows * tile / count;
        const int64_t height = rows * (tile + 1) / count - begin;
        tiles.of[height - 1](args, chunk + begin, panel, std::min(panel + width, last));
      }
    }
  }
}

int64_t PanelGrain(const PanelGemmArgs& args, int threads) {
  // Some 32k multiplications outweigh taking a part.
  const int64_t work = args.rows * args.weight->in() * 2 * HalfPanel(args.weight->isa());
  const int64_t least = 32768 / std::max<int64_t>(1, work);
  const int64_t grain = std::max({int64_t{1}, least, args.weight->panels() / (8 * threads)});
  // One row goes through four panels at once.
  return args.rows > 1 || grain == 1 ? grain : (grain + 3) / 4 * 4;
}

}  // namespace terminus::models::kernels
