#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace terminus::models::nn {

// A function of a batch on a GPU as CUDA graphs, one for each of a ladder of batch sizes: a graph
// is launched at once, where the function's own hundreds of kernels wait for the CPU. A batch is
// filled up to the next rung, and cut where it is larger than the last. On a CPU the function is
// called with batches of the same sizes. For one thread at a time.
class GraphLadder {
 public:
  // `function`: [rows, ...] → [rows, ...], each row by itself, depends on nothing but its input,
  // and never waits for the device. Inputs have rows of `row_shape`, and `options` say their dtype
  // and the device. Captures every rung up to `max_rows` (at least 1), the largest first, whose
  // memory the others use again.
  GraphLadder(std::function<at::Tensor(const at::Tensor&)> function, at::IntArrayRef row_shape,
              const at::TensorOptions& options, int64_t max_rows);
  ~GraphLadder();

  // Any number of rows, on the CPU or the device → the same number. What is on the CPU may be
  // changed as soon as this returns. The result is overwritten by the next call, before which the
  // caller must have waited for it, such as by copying it to the CPU.
  at::Tensor Run(const at::Tensor& input);

  // 1, 2, 4, 8, then in steps of half the power of two below, 32 at most; ends with `max_rows`.
  static std::vector<int64_t> Rungs(int64_t max_rows);

 private:
  struct Rung;

  void Capture(Rung& rung);
  // At most the last rung's rows → the rung's output, of as many rows.
  at::Tensor RunRung(const at::Tensor& input);
  // To the first rows of input_.
  void CopyIn(const at::Tensor& input);

  std::function<at::Tensor(const at::Tensor&)> function_;
  at::Tensor input_;   // [max_rows, ...], where the graphs read.
  at::Tensor staged_;  // The same on the host, pinned; undefined on a CPU.
  std::vector<Rung> rungs_;
};

}  // namespace terminus::models::nn
