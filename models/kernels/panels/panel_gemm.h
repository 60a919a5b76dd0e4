#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "models/kernels/bfloat16.h"
#include "models/kernels/isa.h"
#include "models/kernels/panels/panel_arena.h"

namespace terminus::models::kernels {

// y = x Wᵀ for weights that are read once a step and are the step's cost, as a language model's
// are: they keep the 16 bits that their checkpoint has, and are widened to float32 in registers, so
// that a step moves half the bytes. Inputs, sums and outputs are float32. Each output is summed in
// the order of the inputs, so that a row's result does not depend on the rows beside it, and
// bfloat16 weights give exactly what the same values give as float32.

// Half a panel, in outputs: one vector.
int HalfPanel(Isa isa);

enum class WeightType { kFloat32, kBFloat16 };

// A weight repacked for one instruction set: panels of 2 · HalfPanel outputs, [in, 2, half]. In
// bfloat16 an output of the first half and its neighbour in the second share 32 bits, the first in
// the low ones: a shift and a mask widen them. Outputs are padded with zeros to whole panels.
class PanelWeight {
 public:
  // A matrix [out, in]; its rows follow one another. Two that are to be interleaved have the same
  // size: a panel then holds the same outputs of both, one in each half. Lies in `arena`, which
  // weights of one model share, or, if that is null, in one of its own.
  PanelWeight(Isa isa, WeightType type, int64_t in, int64_t out, bool paired,
              std::shared_ptr<PanelArena> arena = nullptr);

  // Copies rows [row, row + rows) from `from` [rows, in], rounding or widening where the types
  // differ. `which` is the matrix of a pair, 0 or 1.
  void SetRows(absl::Span<const BFloat16> from, int64_t row, int which = 0);
  void SetRows(absl::Span<const float> from, int64_t row, int which = 0);

  Isa isa() const { return isa_; }
  WeightType type() const { return type_; }
  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  bool paired() const { return paired_; }
  int64_t panels() const { return panels_; }
  const std::byte* panel(int64_t index) const { return data_ + index * panel_bytes_; }

 private:
  template <class T>
  void Set(absl::Span<const T> from, int64_t row, int which);

  Isa isa_;
  WeightType type_;
  int64_t in_;
  int64_t out_;
  bool paired_;
  int64_t panels_;
  int64_t panel_bytes_;
  std::shared_ptr<PanelArena> arena_;
  std::byte* data_;
};

struct PanelGemmArgs {
  const PanelWeight* weight = nullptr;
  const float* x = nullptr;     // [rows, in]
  const float* bias = nullptr;  // [out], of a pair [2, out]; null: none.
  float* y = nullptr;           // [rows, out]
  int64_t rows = 0;
  // y += x Wᵀ + bias rather than =. Not for pairs.
  bool accumulate = false;
};

// Computes the outputs of panels [first, last) for all rows. Of a pair of matrices, (gate, up), it
// makes silu(x gateᵀ) · (x upᵀ), the SwiGLU of "GLU Variants Improve Transformer" (Shazeer, 2020).
void PanelGemm(const PanelGemmArgs& args, int64_t first, int64_t last);

// Panels that are worth handing out at once to one of `threads`.
int64_t PanelGrain(const PanelGemmArgs& args, int threads);

}  // namespace terminus::models::kernels
