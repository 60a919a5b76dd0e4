#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "models/cuda/library.h"

// The kernels of a transformer's layer beside ATen in float32.
namespace terminus::models::cuda {
namespace {

class TransformerKernelsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto device = FindDevice(0);
    if (!device.ok()) {
      GTEST_SKIP() << device.status().message();
    }
    api_ = *LoadLibrary();
    at::manual_seed(7);
  }

  static at::Tensor Random(at::IntArrayRef shape, double scale) {
    return (at::randn(shape) * scale).to(at::kCUDA, at::kBFloat16);
  }

  // Poisoned, so that an element which is not written shows.
  static at::Tensor Empty(at::IntArrayRef shape) {
    return at::full(shape, 1e4, at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16));
  }

  static at::Tensor EmptyFp8(at::IntArrayRef shape) {
    return at::empty(shape, at::TensorOptions().device(at::kCUDA).dtype(at::kFloat8_e4m3fn));
  }

  static at::Tensor Workspace() {
    return at::empty({TERMINUS_CUDA_WORKSPACE_BYTES},
                     at::TensorOptions().device(at::kCUDA).dtype(at::kByte));
  }

  // A rounding of bfloat16 is 2^-9 of a value; sums of rounded parts differ by a few.
  static void ExpectNear(const at::Tensor& got, const at::Tensor& expected, double relative) {
    const at::Tensor difference = (got.to(at::kFloat) - expected).abs();
    EXPECT_LE(difference.max().item<float>(), relative * expected.abs().max().item<float>());
    EXPECT_LE(difference.square().mean().sqrt().item<float>(),
              relative / 2 * expected.square().mean().sqrt().item<float>());
  }

  // qkv [tokens, 3 · heads · 64] of one sequence.
  static at::Tensor AttentionOfAten(const at::Tensor& qkv, int64_t heads, bool causal) {
    const at::Tensor parts =
        qkv.to(at::kFloat).view({1, -1, 3, heads, 64}).permute({2, 0, 3, 1, 4});
    return at::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0, causal)
        .transpose(1, 2)
        .reshape({-1, heads * 64});
  }

  const TerminusCudaApi* api_ = nullptr;
};

TEST_F(TransformerKernelsTest, LayerNorm) {
  for (const int width : {8, 512, 768, 1024, 1152, 1280, 2048}) {
    const at::Tensor x = Random({1001, width}, 3) + 1;
    const at::Tensor weight = Random({width}, 1);
    const at::Tensor bias = Random({width}, 1);
    const at::Tensor expected =
        at::layer_norm(x.to(at::kFloat), {width}, weight.to(at::kFloat), bias.to(at::kFloat), 1e-5);
    at::Tensor y = Empty(x.sizes());
    const TerminusCudaOutput out = {y.data_ptr(), nullptr, 1};
    ASSERT_EQ(api_->layer_norm(x.data_ptr(), weight.data_ptr(), bias.data_ptr(), 1001, width, 1e-5f,
                               &out, nullptr),
              0);
    ExpectNear(y, expected, 0.008);
    at::Tensor y8 = EmptyFp8(x.sizes());
    const TerminusCudaOutput out8 = {nullptr, y8.data_ptr(), 4};
    ASSERT_EQ(api_->layer_norm(x.data_ptr(), weight.data_ptr(), bias.data_ptr(), 1001, width, 1e-5f,
                               &out8, nullptr),
              0);
    ExpectNear(y8.to(at::kFloat) / 4, expected, 0.07);
  }
  const TerminusCudaOutput out = {nullptr, nullptr, 1};
  EXPECT_NE(api_->layer_norm(nullptr, nullptr, nullptr, 1, 12, 1e-5f, &out, nullptr), 0);
  EXPECT_NE(api_->layer_norm(nullptr, nullptr, nullptr, 1, 2056, 1e-5f, &out, nullptr), 0);
}

TEST_F(TransformerKernelsTest, Activation) {
  const at::Tensor x = Random({999, 1024}, 3);
  const at::Tensor wide = x.to(at::kFloat);
  const std::pair<TerminusCudaActivation, at::Tensor> cases[] = {
      {TERMINUS_CUDA_NONE, wide},
      {TERMINUS_CUDA_QUICK_GELU, wide * at::sigmoid(1.702 * wide)},
      {TERMINUS_CUDA_GELU, at::gelu(wide)},
      {TERMINUS_CUDA_GELU_TANH, at::gelu(wide, "tanh")},
      {TERMINUS_CUDA_RELU, at::relu(wide)}};
  for (const auto& [activation, expected] : cases) {
    SCOPED_TRACE(activation);
    at::Tensor y = x.clone();
    const TerminusCudaOutput out = {y.data_ptr(), nullptr, 1};
    ASSERT_EQ(api_->activation(y.data_ptr(), y.numel(), activation, &out, nullptr), 0);
    ExpectNear(y, expected, 0.005);
  }
}

TEST_F(TransformerKernelsTest, AttentionOfEqualLengths) {
  for (const int64_t length : {1, 16, 17, 50, 77, 197, 257, 577, 864}) {
    for (const bool causal : {false, true}) {
      SCOPED_TRACE(testing::Message() << length << (causal ? " causal" : ""));
      const at::Tensor qkv = Random({3 * length, 3 * 4 * 64}, 2);
      at::Tensor y = Empty({3 * length, 4 * 64});
      const TerminusCudaAttention args = {.qkv = qkv.data_ptr(),
                                          .out = {y.data_ptr(), nullptr, 1},
                                          .offsets = nullptr,
                                          .sequences = 3,
                                          .max_length = static_cast<int>(length),
                                          .heads = 4,
                                          .causal = causal};
      ASSERT_EQ(api_->attention(&args, nullptr), 0);
      for (int64_t i = 0; i < 3; ++i) {
        ExpectNear(y.slice(0, i * length, (i + 1) * length),
                   AttentionOfAten(qkv.slice(0, i * length, (i + 1) * length), 4, causal), 0.015);
      }
    }
  }
}

TEST_F(TransformerKernelsTest, AttentionOfRaggedLengths) {
  const std::vector<int32_t> offsets = {0, 5, 38, 115, 116, 180};
  const at::Tensor on_device = at::tensor(offsets, at::kInt).to(at::kCUDA);
  const at::Tensor qkv = Random({180, 3 * 8 * 64}, 2);
  at::Tensor y = Empty({180, 8 * 64});
  const TerminusCudaAttention args = {.qkv = qkv.data_ptr(),
                                      .out = {y.data_ptr(), nullptr, 1},
                                      .offsets = on_device.data_ptr<int32_t>(),
                                      .sequences = 5,
                                      .max_length = 77,
                                      .heads = 8,
                                      .causal = true};
  ASSERT_EQ(api_->attention(&args, nullptr), 0);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    ExpectNear(y.slice(0, offsets[i], offsets[i + 1]),
               AttentionOfAten(qkv.slice(0, offsets[i], offsets[i + 1]), 8, true), 0.015);
  }
}

TEST_F(TransformerKernelsTest, AttentionRefusesWhatDoesNotFit) {
  const TerminusCudaAttention too_long = {.sequences = 1, .max_length = 4096, .heads = 1};
  EXPECT_NE(api_->attention(&too_long, nullptr), 0);
  const TerminusCudaAttention headless = {.sequences = 1, .max_length = 16, .heads = 0};
  EXPECT_NE(api_->attention(&headless, nullptr), 0);
}

TEST_F(TransformerKernelsTest, Matmul) {
  const at::Tensor x = Random({3001, 1024}, 1);
  const at::Tensor weight = Random({512, 1024}, 0.03);
  const at::Tensor bias = Random({512}, 1);
  const at::Tensor residual = Random({3001, 512}, 1);
  const at::Tensor workspace = Workspace();
  const at::Tensor product = at::matmul(x.to(at::kFloat), weight.to(at::kFloat).t());
  const at::Tensor sum = product + bias.to(at::kFloat);
  TerminusCudaMatmul args = {.x = x.data_ptr(),
                             .weight = weight.data_ptr(),
                             .rows = 3001,
                             .in = 1024,
                             .out = 512,
                             .workspace = workspace.data_ptr()};
  at::Tensor y = Empty({3001, 512});
  args.y = y.data_ptr();
  ASSERT_EQ(api_->matmul(&args, nullptr), 0);
  ExpectNear(y, product, 0.01);
  args.bias = bias.data_ptr();
  const std::pair<TerminusCudaActivation, at::Tensor> cases[] = {
      {TERMINUS_CUDA_NONE, sum},
      {TERMINUS_CUDA_QUICK_GELU, sum * at::sigmoid(1.702 * sum)},
      {TERMINUS_CUDA_GELU, at::gelu(sum)},
      {TERMINUS_CUDA_GELU_TANH, at::gelu(sum, "tanh")},
      {TERMINUS_CUDA_RELU, at::relu(sum)}};
  for (const auto& [activation, expected] : cases) {
    SCOPED_TRACE(activation);
    args.activation = activation;
    ASSERT_EQ(api_->matmul(&args, nullptr), 0);
    ExpectNear(y, expected, 0.01);
  }
  // In place; trials of algorithms must not add to it. ReLU comes behind the residual.
  y.copy_(residual);
  args.residual = y.data_ptr();
  ASSERT_EQ(api_->matmul(&args, nullptr), 0);
  ExpectNear(y, at::relu(sum + residual.to(at::kFloat)), 0.01);
  args.activation = TERMINUS_CUDA_NONE;
  y.copy_(residual);
  ASSERT_EQ(api_->matmul(&args, nullptr), 0);
  ExpectNear(y, sum + residual.to(at::kFloat), 0.01);
}

TEST_F(TransformerKernelsTest, MatmulInFp8) {
  const at::Tensor x = (at::randn({300, 256}) * 100).to(at::kCUDA).to(at::kFloat8_e4m3fn);
  const at::Tensor weight = (at::randn({128, 256}) * 30).to(at::kCUDA).to(at::kFloat8_e4m3fn);
  const at::Tensor x_scale = at::full({1}, 0.01, at::kFloat).to(at::kCUDA);
  const at::Tensor weight_scale = at::full({1}, 0.001, at::kFloat).to(at::kCUDA);
  at::Tensor y = Empty({300, 128});
  const at::Tensor workspace = Workspace();
  const TerminusCudaMatmul args = {.x = x.data_ptr(),
                                   .weight = weight.data_ptr(),
                                   .y = y.data_ptr(),
                                   .rows = 300,
                                   .in = 256,
                                   .out = 128,
                                   .fp8 = true,
                                   .x_scale = x_scale.data_ptr<float>(),
                                   .weight_scale = weight_scale.data_ptr<float>(),
                                   .workspace = workspace.data_ptr()};
  ASSERT_EQ(api_->matmul(&args, nullptr), 0);
  ExpectNear(y, at::matmul(x.to(at::kFloat), weight.to(at::kFloat).t()) * 1e-5, 0.01);
}

}  // namespace
}  // namespace terminus::models::cuda
