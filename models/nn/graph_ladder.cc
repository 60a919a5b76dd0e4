#include "models/nn/graph_ladder.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "models/nn/captured.h"

namespace terminus::models::nn {
namespace {

// Where a step of the ladder is no longer a doubling, and the largest step.
constexpr int64_t kDoublings = 8;
constexpr int64_t kMaxStep = 32;
// One thread copies this much at a time.
constexpr int64_t kCopyGrain = 1 << 20;

}  // namespace

struct GraphLadder::Rung {
  int64_t rows;
  std::optional<Captured> graph;  // Nothing on a CPU.
};

std::vector<int64_t> GraphLadder::Rungs(int64_t max_rows) {
  std::vector<int64_t> rungs;
  int64_t rows = 1;
  while (rows < max_rows) {
    rungs.push_back(rows);
    // Half of the power of two below it: 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, …
    int64_t power = kDoublings;
    while (power * 2 <= rows) {
      power *= 2;
    }
    rows = rows < kDoublings ? rows * 2 : rows + std::min(power / 2, kMaxStep);
  }
  rungs.push_back(max_rows);
  return rungs;
}

GraphLadder::GraphLadder(std::function<at::Tensor(const at::Tensor&)> function,
                         at::IntArrayRef row_shape, const at::TensorOptions& options,
                         int64_t max_rows)
    : function_(std::move(function)) {
  std::vector<int64_t> shape = {max_rows};
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  input_ = at::zeros(shape, options);
  if (!input_.is_cpu()) {
    staged_ = at::empty(shape, options.device(at::kCPU).pinned_memory(true));
  }
  for (const int64_t rows : Rungs(max_rows)) {
    rungs_.push_back({.rows = rows, .graph = std::nullopt});
  }
  for (size_t i = rungs_.size(); i > 0 && !input_.is_cpu(); --i) {
    Capture(rungs_[i - 1]);
  }
}

GraphLadder::~GraphLadder() = default;

void GraphLadder::Capture(Rung& rung) {
  const at::Tensor input = input_.slice(0, 0, rung.rows);
  const std::optional<Captured>& largest = rungs_.back().graph;
  rung.graph = Captured::Capture([&] { return function_(input); }, input.device(),
                                 largest ? &*largest : nullptr);
}

void GraphLadder::CopyIn(const at::Tensor& input) {
  const at::Tensor to = input_.slice(0, 0, input.size(0));
  if (!input.is_cpu() || input_.is_cpu()) {
    to.copy_(input);
    return;
  }
  // What the device is copying is not written to: the last call's copy is over, for its output was
  // waited for.
  const at::Tensor source = input.contiguous();
  const auto* from = static_cast<const std::byte*>(source.const_data_ptr());
  auto* staged = static_cast<std::byte*>(staged_.mutable_data_ptr());
  at::parallel_for(0, static_cast<int64_t>(source.nbytes()), kCopyGrain,
                   [&](int64_t begin, int64_t end) {
                     std::memcpy(staged + begin, from + begin, static_cast<size_t>(end - begin));
                   });
  to.copy_(staged_.slice(0, 0, input.size(0)), /*non_blocking=*/true);
}

at::Tensor GraphLadder::RunRung(const at::Tensor& input) {
  CopyIn(input);
  const auto rung = std::find_if(rungs_.begin(), rungs_.end(), [&](const Rung& candidate) {
    return candidate.rows >= input.size(0);
  });
  if (!rung->graph) {
    return function_(input_.slice(0, 0, rung->rows)).slice(0, 0, input.size(0));
  }
  return rung->graph->Replay().slice(0, 0, input.size(0));
}

at::Tensor GraphLadder::Run(const at::Tensor& input) {
  const int64_t most = rungs_.back().rows;
  if (input.size(0) <= most) {
    return RunRung(input);
  }
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < input.size(0); begin += most) {
    // The next part writes where this one lies, and its input: hence to the CPU, which waits.
    parts.push_back(
        RunRung(input.slice(0, begin, std::min(begin + most, input.size(0)))).cpu().clone());
  }
  return at::cat(parts).to(input_.device());
}

}  // namespace terminus::models::nn
