#include "models/cuda/matmul.h"

#include <cublasLt.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

namespace terminus::models::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;
constexpr int kCandidates = 16;
constexpr int kTrials = 5;
// Shapes whose choice is kept. Ragged batches may bring ever new numbers of rows: what comes after
// these takes the heuristic's first, and costs neither trials nor memory.
constexpr size_t kMaxChoices = 4096;

template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};
using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy<cublasLtMatmulDescDestroy>>;
using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy<cublasLtMatrixLayoutDestroy>>;
using Preference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy<cublasLtMatmulPreferenceDestroy>>;
using Event = std::unique_ptr<CUevent_st, Destroy<cudaEventDestroy>>;

// Device, sizes, and what there is besides the product.
using Key = std::tuple<int, int64_t, int64_t, int64_t, bool, bool, bool, bool>;

// A handle and its workspace for each thread and device: two threads never share a workspace. They
// go with the thread.
struct Context {
  Context() = default;
  ~Context() {
    if (handle != nullptr) {
      cublasLtDestroy(handle);
    }
    cudaFree(workspace);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
};

const Context* FindContext(int device) {
  thread_local std::map<int, Context> contexts;
  Context& context = contexts[device];
  if (context.handle == nullptr && cublasLtCreate(&context.handle) != CUBLAS_STATUS_SUCCESS) {
    context.handle = nullptr;
    return nullptr;
  }
  if (context.workspace == nullptr &&
      cudaMalloc(&context.workspace, kWorkspaceBytes) != cudaSuccess) {
    context.workspace = nullptr;
    return nullptr;
  }
  return &context;
}

Layout MakeLayout(cudaDataType_t type, int64_t rows, int64_t columns) {
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatrixLayoutCreate(&layout, type, rows, columns, rows);
  return Layout(layout);
}

// The product as cuBLASLt sees it, column by column: yᵀ = weight · xᵀ.
struct Problem {
  Operation operation;
  Layout weight;
  Layout x;
  Layout y;
};

Problem MakeProblem(const TerminusCudaMatmul& args) {
  const cudaDataType_t type = args.fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const auto set = [desc](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
    cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof(value));
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (args.bias != nullptr) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE,
        args.gelu_tanh ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_BIAS);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, args.bias);
    set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_16BF);
  } else if (args.gelu_tanh) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_GELU);
  }
  if (args.fp8) {
    set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, args.weight_scale);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, args.x_scale);
    set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, int8_t{1});
  }
  return {Operation(desc), MakeLayout(type, args.in, args.out),
          MakeLayout(type, args.in, args.rows), MakeLayout(CUDA_R_16BF, args.out, args.rows)};
}

cublasStatus_t Run(const Context& context, const Problem& problem, const TerminusCudaMatmul& args,
                   const cublasLtMatmulAlgo_t& algorithm, cudaStream_t stream) {
  const float one = 1;
  const float beta = args.residual == nullptr ? 0 : 1;
  const void* c = args.residual == nullptr ? args.y : args.residual;
  return cublasLtMatmul(context.handle, problem.operation.get(), &one, args.weight,
                        problem.weight.get(), args.x, problem.x.get(), &beta, c, problem.y.get(),
                        args.y, problem.y.get(), &algorithm, context.workspace, kWorkspaceBytes,
                        stream);
}

std::vector<cublasLtMatmulAlgo_t> Candidates(const Context& context, const Problem& problem) {
  cublasLtMatmulPreference_t raw = nullptr;
  cublasLtMatmulPreferenceCreate(&raw);
  const Preference preference(raw);
  cublasLtMatmulPreferenceSetAttribute(raw, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                       &kWorkspaceBytes, sizeof(kWorkspaceBytes));
  cublasLtMatmulHeuristicResult_t results[kCandidates];
  int count = 0;
  cublasLtMatmulAlgoGetHeuristic(context.handle, problem.operation.get(), problem.weight.get(),
                                 problem.x.get(), problem.y.get(), problem.y.get(), raw,
                                 kCandidates, results, &count);
  std::vector<cublasLtMatmulAlgo_t> found;
  for (int i = 0; i < count; ++i) {
    if (results[i].state == CUBLAS_STATUS_SUCCESS) {
      found.push_back(results[i].algo);
    }
  }
  return found;
}

// Milliseconds of kTrials runs, or infinity where the algorithm fails.
float Time(const Context& context, const Problem& problem, const TerminusCudaMatmul& args,
           const cublasLtMatmulAlgo_t& algorithm, cudaStream_t stream) {
  constexpr float kFailed = 1e30f;
  cudaEvent_t begin_raw = nullptr;
  cudaEvent_t end_raw = nullptr;
  if (cudaEventCreate(&begin_raw) != cudaSuccess || cudaEventCreate(&end_raw) != cudaSuccess) {
    return kFailed;
  }
  const Event begin(begin_raw);
  const Event end(end_raw);
  for (int trial = -1; trial < kTrials; ++trial) {
    if (trial == 0) {
      cudaEventRecord(begin_raw, stream);
    }
    if (Run(context, problem, args, algorithm, stream) != CUBLAS_STATUS_SUCCESS) {
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

class Choices {
 public:
  const cublasLtMatmulAlgo_t* Find(const Key& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = algorithms_.find(key);
    return it == algorithms_.end() ? nullptr : &it->second;
  }

  bool Full() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return algorithms_.size() >= kMaxChoices;
  }

  // What is kept is never changed or taken away, so that pointers stay good.
  const cublasLtMatmulAlgo_t* Keep(const Key& key, const cublasLtMatmulAlgo_t& algorithm) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return &algorithms_.emplace(key, algorithm).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<Key, cublasLtMatmulAlgo_t> algorithms_;
};

Choices& ProcessChoices() {
  static auto* const choices = new Choices();
  return *choices;
}

// The fastest; `best` stays as it is where there is none.
bool Choose(const Context& context, const Problem& problem, const TerminusCudaMatmul& args,
            cudaStream_t stream, cublasLtMatmulAlgo_t& best) {
  // Trials write y again and again: with y as the residual they must not write the caller's.
  TerminusCudaMatmul trial = args;
  void* scratch = nullptr;
  if (args.residual == args.y) {
    if (cudaMalloc(&scratch, args.rows * args.out * 2) != cudaSuccess) {
      return false;
    }
    trial.y = scratch;
  }
  float fastest = 1e30f;
  for (const cublasLtMatmulAlgo_t& algorithm : Candidates(context, problem)) {
    const float time = Time(context, problem, trial, algorithm, stream);
    if (time < fastest) {
      fastest = time;
      best = algorithm;
    }
  }
  cudaFree(scratch);
  return fastest < 1e30f;
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
  const Context* context = FindContext(device);
  if (context == nullptr) {
    return cudaErrorMemoryAllocation;
  }
  const Problem problem = MakeProblem(args);
  const Key key(device, args.rows, args.in, args.out, args.fp8, args.bias != nullptr,
                args.residual != nullptr, args.gelu_tanh);
  const cublasLtMatmulAlgo_t* algorithm = ProcessChoices().Find(key);
  if (algorithm == nullptr) {
    cudaStreamCaptureStatus capturing;
    if (const cudaError_t error = cudaStreamIsCapturing(stream, &capturing); error != cudaSuccess) {
      return error;
    }
    cublasLtMatmulAlgo_t best;
    if (capturing == cudaStreamCaptureStatusNone && !ProcessChoices().Full()) {
      if (!Choose(*context, problem, args, stream, best)) {
        return cudaErrorNotSupported;
      }
      algorithm = ProcessChoices().Keep(key, best);
    } else {
      const std::vector<cublasLtMatmulAlgo_t> candidates = Candidates(*context, problem);
      if (candidates.empty()) {
        return cudaErrorNotSupported;
      }
      best = candidates.front();
      return Run(*context, problem, args, best, stream) == CUBLAS_STATUS_SUCCESS
                 ? cudaSuccess
                 : cudaErrorNotSupported;
    }
  }
  return Run(*context, problem, args, *algorithm, stream) == CUBLAS_STATUS_SUCCESS
             ? cudaSuccess
             : cudaErrorNotSupported;
}

}  // namespace terminus::models::cuda
