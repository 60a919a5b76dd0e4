#include "models/cuda/cublaslt.h"

#include <map>
#include <mutex>

namespace terminus::models::cuda {
namespace {

constexpr int kCandidates = 64;

using Preference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy<cublasLtMatmulPreferenceDestroy>>;

// The current device's. Handles hold no state of a call: all threads share one.
cublasLtHandle_t Handle() {
  static auto* const mutex = new std::mutex();
  static auto* const handles = new std::map<int, cublasLtHandle_t>();
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) {
    return nullptr;
  }
  const std::lock_guard<std::mutex> lock(*mutex);
  cublasLtHandle_t& handle = (*handles)[device];
  if (handle == nullptr && cublasLtCreate(&handle) != CUBLAS_STATUS_SUCCESS) {
    handle = nullptr;
  }
  return handle;
}

cublasLtEpilogue_t Epilogue(TerminusCudaActivation activation, bool bias) {
  switch (activation) {
    case TERMINUS_CUDA_GELU_TANH:
      return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    case TERMINUS_CUDA_RELU:
      return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    default:
      return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
}

}  // namespace

bool LtProblem::Fuses(TerminusCudaActivation activation) {
  return activation == TERMINUS_CUDA_NONE || activation == TERMINUS_CUDA_GELU_TANH ||
         activation == TERMINUS_CUDA_RELU;
}

LtProblem::LtProblem(const TerminusCudaMatmul& args)
    : operation_(MakeOperation(args)),
      weight_(MakeLayout(args.fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF, args.in, args.out)),
      x_(MakeLayout(args.fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF, args.in, args.rows)),
      y_(MakeLayout(args.float_y ? CUDA_R_32F : CUDA_R_16BF, args.out, args.rows)) {}

LtProblem::Layout LtProblem::MakeLayout(cudaDataType_t type, int64_t rows, int64_t columns) {
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatrixLayoutCreate(&layout, type, rows, columns, rows);
  return Layout(layout);
}

LtProblem::Operation LtProblem::MakeOperation(const TerminusCudaMatmul& args) {
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const auto set = [desc](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
    cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof(value));
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, Epilogue(args.activation, args.bias != nullptr));
  if (args.bias != nullptr) {
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, args.bias);
    set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_16BF);
  }
  if (args.fp8) {
    set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, args.weight_scale);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, args.x_scale);
    set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, int8_t{1});
  }
  return Operation(desc);
}

std::vector<cublasLtMatmulAlgo_t> LtProblem::Candidates() const {
  cublasLtMatmulPreference_t raw = nullptr;
  cublasLtMatmulPreferenceCreate(&raw);
  const Preference preference(raw);
  const size_t workspace = TERMINUS_CUDA_WORKSPACE_BYTES;
  cublasLtMatmulPreferenceSetAttribute(raw, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                       sizeof(workspace));
  cublasLtMatmulHeuristicResult_t results[kCandidates];
  int count = 0;
  cublasLtMatmulAlgoGetHeuristic(Handle(), operation_.get(), weight_.get(), x_.get(), y_.get(),
                                 y_.get(), raw, kCandidates, results, &count);
  std::vector<cublasLtMatmulAlgo_t> found;
  for (int i = 0; i < count; ++i) {
    if (results[i].state == CUBLAS_STATUS_SUCCESS) {
      found.push_back(results[i].algo);
    }
  }
  return found;
}

cudaError_t LtProblem::Run(const TerminusCudaMatmul& args, const cublasLtMatmulAlgo_t& algorithm,
                           cudaStream_t stream) const {
  const float one = 1;
  const float beta = args.residual == nullptr ? 0 : 1;
  const void* c = args.residual == nullptr ? args.y : args.residual;
  const cublasStatus_t status =
      cublasLtMatmul(Handle(), operation_.get(), &one, args.weight, weight_.get(), args.x, x_.get(),
                     &beta, c, y_.get(), args.y, y_.get(), &algorithm, args.workspace,
                     TERMINUS_CUDA_WORKSPACE_BYTES, stream);
  return status == CUBLAS_STATUS_SUCCESS ? cudaSuccess : cudaErrorNotSupported;
}

}  // namespace terminus::models::cuda
