#include "models/cuda/matmul.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "models/cuda/cublaslt.h"
#include "models/cuda/elementwise.h"
#include "models/cuda/gemm_activation.h"

namespace terminus::models::cuda {
namespace {

// Each is run once; the fastest of these are run more often.
constexpr int kFinalists = 6;
constexpr int kFinalTrials = 10;
// Of one run, on a slow CPU.
constexpr int kLaunchMicroseconds = 25;
constexpr float kFailed = 1e30f;
// Shapes whose choice is kept. Ragged batches may bring ever new numbers of rows: what comes after
// these takes the heuristic's first, and costs neither trials nor memory.
constexpr size_t kMaxChoices = 4096;

using Event = std::unique_ptr<CUevent_st, Destroy<cudaEventDestroy>>;

// Device, sizes, and what there is besides the product.
using Key =
    std::tuple<int, int64_t, int64_t, int64_t, bool, bool, bool, bool, TerminusCudaActivation>;

// How a product is computed: by cuBLASLt's algorithm or, without one, by LaunchGemmActivation.
using Choice = std::optional<cublasLtMatmulAlgo_t>;

cudaError_t Run(const LtProblem& problem, const TerminusCudaMatmul& args, const Choice& choice,
                cudaStream_t stream) {
  if (!choice) {
    return LaunchGemmActivation(args, stream);
  }
  const cudaError_t error = problem.Run(args, *choice, stream);
  if (error != cudaSuccess || LtProblem::Fuses(args.activation)) {
    return error;
  }
  return LaunchActivation(args.y, args.rows * args.out, args.activation,
                          {.bf16 = args.y, .fp8 = nullptr, .scale = 1}, stream);
}

// Milliseconds of so many runs, or kFailed. Of the device alone: the stream is kept busy until all
// are in it, for small products take the CPU longer to launch than the device to compute.
float Time(const LtProblem& problem, const TerminusCudaMatmul& args, const Choice& choice,
           int trials, cudaStream_t stream) {
  cudaEvent_t begin_raw = nullptr;
  cudaEvent_t end_raw = nullptr;
  if (cudaEventCreate(&begin_raw) != cudaSuccess || cudaEventCreate(&end_raw) != cudaSuccess) {
    return kFailed;
  }
  const Event begin(begin_raw);
  const Event end(end_raw);
  for (int trial = -1; trial < trials; ++trial) {
    if (trial == 0) {
      LaunchDelay(kLaunchMicroseconds * trials, stream);
      cudaEventRecord(begin_raw, stream);
    }
    if (Run(problem, args, choice, stream) != cudaSuccess) {
      return kFailed;
    }
  }
  cudaEventRecord(end_raw, stream);
  float milliseconds = kFailed;
  if (cudaEventSynchronize(end_raw) != cudaSuccess ||
      cudaEventElapsedTime(&milliseconds, begin_raw, end_raw) != cudaSuccess) {
    return kFailed;
  }
  return milliseconds;
}

// What was chosen, for the whole process.
class Choices {
 public:
  std::optional<Choice> Find(const Key& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = choices_.find(key);
    return it == choices_.end() ? std::nullopt : std::optional<Choice>(it->second);
  }

  bool Full() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return choices_.size() >= kMaxChoices;
  }

  void Keep(const Key& key, const Choice& choice) {
    const std::lock_guard<std::mutex> lock(mutex_);
    choices_.emplace(key, choice);
  }

 private:
  std::mutex mutex_;
  std::map<Key, Choice> choices_;
};

Choices& ProcessChoices() {
  static auto* const choices = new Choices();
  return *choices;
}

// The fastest of all; nothing where none works.
std::optional<Choice> Try(const LtProblem& problem, const TerminusCudaMatmul& args,
                          cudaStream_t stream) {
  // Trials write y again and again: with y as the residual they must not write the caller's.
  TerminusCudaMatmul trial = args;
  void* scratch = nullptr;
  if (args.residual == args.y) {
    if (cudaMalloc(&scratch, args.rows * args.out * 2) != cudaSuccess) {
      return std::nullopt;
    }
    trial.y = scratch;
  }
  std::vector<std::pair<float, Choice>> timed;
  const auto time = [&](const Choice& choice) {
    timed.emplace_back(Time(problem, trial, choice, /*trials=*/1, stream), choice);
  };
  for (const cublasLtMatmulAlgo_t& algorithm : problem.Candidates()) {
    time(algorithm);
  }
  if (!LtProblem::Fuses(args.activation)) {
    time(std::nullopt);
  }
  const auto faster = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(timed.begin(), timed.end(), faster);
  timed.resize(std::min<size_t>(timed.size(), kFinalists));
  for (auto& [milliseconds, choice] : timed) {
    milliseconds = Time(problem, trial, choice, kFinalTrials, stream);
  }
  cudaFree(scratch);
  const auto best = std::min_element(timed.begin(), timed.end(), faster);
  if (best == timed.end() || best->first >= kFailed) {
    return std::nullopt;
  }
  return best->second;
}

}  // namespace

cudaError_t Matmul(const TerminusCudaMatmul& args, cudaStream_t stream) {
  if (args.rows == 0 || args.out == 0) {
    return cudaSuccess;
  }
  int device = 0;
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) {
    return error;
  }
  const LtProblem problem(args);
  const Key key(device, args.tuned_rows > 0 ? args.tuned_rows : args.rows, args.in, args.out,
                args.fp8, args.bias != nullptr, args.residual != nullptr, args.float_y,
                args.activation);
  std::optional<Choice> choice = ProcessChoices().Find(key);
  if (!choice) {
    cudaStreamCaptureStatus capturing;
    if (const cudaError_t error = cudaStreamIsCapturing(stream, &capturing); error != cudaSuccess) {
      return error;
    }
    if (capturing == cudaStreamCaptureStatusNone && !ProcessChoices().Full()) {
      choice = Try(problem, args, stream);
      if (choice) {
        ProcessChoices().Keep(key, *choice);
      }
    } else if (const auto candidates = problem.Candidates(); !candidates.empty()) {
      choice = candidates.front();
    }
  }
  if (!choice) {
    return cudaErrorNotSupported;
  }
  cudaError_t error = Run(problem, args, *choice, stream);
  if (error == cudaErrorNotSupported && args.tuned_rows > args.rows) {
    // What was chosen for more rows may not take these.
    if (const auto candidates = problem.Candidates(); !candidates.empty()) {
      error = Run(problem, args, candidates.front(), stream);
    }
  }
  return error;
}

}  // namespace terminus::models::cuda
