#include "models/nn/cuda_ops.h"

#include "common/base/check.h"
#include "models/cuda/library.h"

namespace terminus::models::nn::cuda_ops {
namespace {

// Rows of 16 bytes, in bfloat16 and in FP8.
constexpr int64_t kAlignment = 8;
constexpr int64_t kFp8Alignment = 16;
constexpr int64_t kMaxLayerNormWidth = 2048;
constexpr int64_t kHeadDim = 64;
// Fits into the shared memory of every GPU that the library is built for.
constexpr int32_t kMaxAttention = 577;

// Null where the library cannot be loaded.
const TerminusCudaApi* FindApi() {
  static const TerminusCudaApi* const api = [] {
    const auto library = cuda::LoadLibrary();
    return library.ok() ? *library : nullptr;
  }();
  return api;
}

void* StreamOf(const at::Tensor& tensor) { return FindApi()->current_stream(tensor.get_device()); }

void Check(int error, const char* what) {
  if (error != 0) {
    const auto library = gpu::LoadLibrary();
    TORCH_CHECK(false, what, " on the GPU failed: ",
                library.ok() ? (*library)->error_text(error) : "unknown error", " (", error, ")");
  }
}

const void* DataOf(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

// A result of `shape` and the pointer to it.
struct Result {
  at::Tensor tensor;
  TerminusCudaOutput output;
};

Result MakeResult(at::IntArrayRef shape, const at::Tensor& like, std::optional<float> fp8_scale) {
  if (!fp8_scale) {
    at::Tensor tensor = at::empty(shape, like.options());
    void* data = tensor.mutable_data_ptr();
    return {std::move(tensor), {.bf16 = data, .fp8 = nullptr, .scale = 1}};
  }
  at::Tensor tensor = at::empty(shape, like.options().dtype(at::kFloat8_e4m3fn));
  void* data = tensor.mutable_data_ptr();
  return {std::move(tensor), {.bf16 = nullptr, .fp8 = data, .scale = *fp8_scale}};
}

TerminusCudaActivation CudaActivation(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return TERMINUS_CUDA_NONE;
    case Activation::kRelu:
      return TERMINUS_CUDA_RELU;
    case Activation::kQuickGelu:
      return TERMINUS_CUDA_QUICK_GELU;
    case Activation::kGelu:
      return TERMINUS_CUDA_GELU;
    case Activation::kGeluTanh:
      return TERMINUS_CUDA_GELU_TANH;
    case Activation::kRelu6:
      break;
  }
  TERMINUS_CHECK(false);
  return TERMINUS_CUDA_NONE;
}

}  // namespace

bool Serves(at::Device device, at::ScalarType dtype) {
  return device.is_cuda() && dtype == at::kBFloat16 && FindApi() != nullptr;
}

bool TakesMatmul(int64_t in, int64_t out, bool fp8) {
  const int64_t alignment = fp8 ? kFp8Alignment : kAlignment;
  return in % alignment == 0 && out % alignment == 0;
}

bool TakesLayerNorm(int64_t width) {
  return width % kAlignment == 0 && width <= kMaxLayerNormWidth;
}

at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double eps, std::optional<float> fp8_scale) {
  Result result = MakeResult(x.sizes(), x, fp8_scale);
  const int64_t width = weight.numel();
  Check(FindApi()->layer_norm(x.const_data_ptr(), weight.const_data_ptr(), bias.const_data_ptr(),
                              x.numel() / width, static_cast<int>(width), static_cast<float>(eps),
                              &result.output, StreamOf(x)),
        "layer norm");
  return result.tensor;
}

at::Tensor Matmul(const MatmulArgs& args) {
  const bool fp8 = args.x_scale.defined();
  const int64_t out = args.weight.size(0);
  at::Tensor y = at::empty({args.x.size(0), out}, args.weight.options().dtype(at::kBFloat16));
  // Of LibTorch's allocator, which knows of streams and graphs.
  const at::Tensor workspace =
      at::empty({TERMINUS_CUDA_WORKSPACE_BYTES}, args.x.options().dtype(at::kByte));
  const TerminusCudaMatmul call = {
      .x = args.x.const_data_ptr(),
      .weight = args.weight.const_data_ptr(),
      .bias = DataOf(args.bias),
      .residual = DataOf(args.residual),
      .y = y.mutable_data_ptr(),
      .rows = args.x.size(0),
      .in = args.x.size(1),
      .out = out,
      .fp8 = fp8,
      .x_scale = fp8 ? args.x_scale.const_data_ptr<float>() : nullptr,
      .weight_scale = fp8 ? args.weight_scale.const_data_ptr<float>() : nullptr,
      .activation = CudaActivation(args.activation),
      .workspace = workspace.mutable_data_ptr()};
  Check(FindApi()->matmul(&call, StreamOf(args.x)), "matrix product");
  return y;
}

at::Tensor Activate(const at::Tensor& x, Activation activation, std::optional<float> fp8_scale) {
  Result result = fp8_scale ? MakeResult(x.sizes(), x, fp8_scale)
                            : Result{x, {.bf16 = x.mutable_data_ptr(), .fp8 = nullptr, .scale = 1}};
  Check(FindApi()->activation(x.const_data_ptr(), x.numel(), CudaActivation(activation),
                              &result.output, StreamOf(x)),
        "activation");
  return result.tensor;
}

at::Tensor Patches(const at::Tensor& pixels, const kernels::PixelTransform& transform,
                   int64_t side) {
  const int64_t values = 3 * side * side;
  const int64_t row = side == 1 ? values : (values + kAlignment - 1) / kAlignment * kAlignment;
  const int64_t patches = (pixels.size(1) / side) * (pixels.size(2) / side);
  at::Tensor out =
      at::empty({pixels.size(0) * patches, row}, pixels.options().dtype(at::kBFloat16));
  const TerminusCudaPatches call = {
      .pixels = pixels.const_data_ptr<uint8_t>(),
      .out = out.mutable_data_ptr(),
      .count = pixels.size(0),
      .height = static_cast<int>(pixels.size(1)),
      .width = static_cast<int>(pixels.size(2)),
      .scale = {transform.scale[0], transform.scale[1], transform.scale[2]},
      .shift = {transform.shift[0], transform.shift[1], transform.shift[2]},
      .side = static_cast<int>(side),
      .row = static_cast<int>(row)};
  Check(FindApi()->patches(&call, StreamOf(pixels)), "cutting into patches");
  return out;
}

bool TakesAttention(int64_t head_dim, int32_t longest) {
  return head_dim == kHeadDim && longest <= kMaxAttention;
}

at::Tensor Attention(const at::Tensor& qkv, const Sequences& sequences, int heads, bool causal,
                     std::optional<float> fp8_scale) {
  Result result = MakeResult({qkv.size(0), qkv.size(1) / 3}, qkv, fp8_scale);
  const at::Tensor& offsets = sequences.on_device();
  const TerminusCudaAttention call = {
      .qkv = qkv.const_data_ptr(),
      .out = result.output,
      .offsets = offsets.defined() ? offsets.const_data_ptr<int32_t>() : nullptr,
      .sequences = static_cast<int>(sequences.count()),
      .max_length = sequences.longest(),
      .heads = heads,
      .causal = causal};
  Check(FindApi()->attention(&call, StreamOf(qkv)), "attention");
  return result.tensor;
}

}  // namespace terminus::models::nn::cuda_ops
