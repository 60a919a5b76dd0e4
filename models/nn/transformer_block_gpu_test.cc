// A layer on a GPU beside the same on the CPU in float32, which transformer_block_test.cc holds to
// the formula.
#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/cuda/library.h"
#include "models/nn/graph_ladder.h"
#include "models/nn/transformer_block.h"

namespace terminus::models::nn {
namespace {

constexpr BlockNames kNames = {.norm1 = "n1",
                               .query = "q",
                               .key = "k",
                               .value = "v",
                               .attention_out = "o",
                               .norm2 = "n2",
                               .up = "up",
                               .down = "down"};

// Whose heads the kernels take, and whose they leave to LibTorch.
constexpr int kHidden = 192;
constexpr int kInner = 320;

class TransformerBlockGpuTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto device = cuda::FindDevice(0);
    if (!device.ok()) {
      GTEST_SKIP() << device.status().message();
    }
    nlohmann::json tensors;
    const auto map = [&](const std::string& name, int in, int out) {
      tensors.push_back({name + ".weight", {out, in}});
      tensors.push_back({name + ".bias", {out}});
    };
    for (const char* name : {"q", "k", "v", "o"}) map(name, kHidden, kHidden);
    map("up", kHidden, kInner);
    map("down", kInner, kHidden);
    for (const char* name : {"n1.weight", "n1.bias", "n2.weight", "n2.bias"}) {
      tensors.push_back({name, {kHidden}});
    }
    ASSERT_TRUE(checkpoint::WriteFakeWeights(folder_.Path("model.safetensors"), tensors).ok());
    at::manual_seed(3);
  }

  TransformerBlock Load(const BlockConfig& config, at::Device device, at::ScalarType dtype) {
    auto weights = checkpoint::Weights::Open(folder_.path(), device);
    EXPECT_TRUE(weights.ok()) << weights.status();
    TransformerBlock block(config, kNames, "", Loader(*weights, dtype));
    EXPECT_TRUE(weights->Finish().ok()) << weights->Finish();
    return block;
  }

  static double Cosine(const at::Tensor& a, const at::Tensor& b) {
    return at::cosine_similarity(a.cpu().to(at::kDouble), b.cpu().to(at::kDouble), 1)
        .min()
        .item<double>();
  }

  const base::TempFolder folder_;
};

TEST_F(TransformerBlockGpuTest, EqualsTheCpu) {
  for (const int heads : {3, 6}) {
    for (const Activation activation :
         {Activation::kQuickGelu, Activation::kGelu, Activation::kGeluTanh}) {
      for (const bool causal : {false, true}) {
        const BlockConfig config = {
            .heads = heads,
            .mlp = {.hidden = kHidden, .intermediate = kInner, .activation = activation},
            .causal = causal};
        const TransformerBlock on_cpu = Load(config, at::kCPU, at::kFloat);
        const TransformerBlock on_gpu = Load(config, at::kCUDA, at::kBFloat16);
        for (const std::vector<int32_t>& offsets :
             {std::vector<int32_t>{0, 5, 6, 83}, std::vector<int32_t>{0, 50, 100, 150}}) {
          // Rows behind the last sequence change nothing.
          const at::Tensor x = at::randn({offsets.back() + 10, kHidden});
          const at::Tensor expected = on_cpu.Forward(x, Sequences(offsets, at::kCPU));
          const at::Tensor y =
              on_gpu.Forward(x.to(at::kCUDA, at::kBFloat16), Sequences(offsets, at::kCUDA));
          EXPECT_GT(Cosine(y.slice(0, 0, offsets.back()), expected.slice(0, 0, offsets.back())),
                    0.9995)
              << heads << " heads, activation " << static_cast<int>(activation);
        }
      }
    }
  }
}

TEST_F(TransformerBlockGpuTest, InFp8) {
  for (const int heads : {3, 6}) {
    const BlockConfig config = {
        .heads = heads,
        .mlp = {.hidden = kHidden, .intermediate = kInner, .activation = Activation::kQuickGelu}};
    const TransformerBlock on_cpu = Load(config, at::kCPU, at::kFloat);
    TransformerBlock on_gpu = Load(config, at::kCUDA, at::kBFloat16);
    const Sequences here({0, 50, 100, 150}, at::kCPU);
    const Sequences there({0, 50, 100, 150}, at::kCUDA);
    at::Tensor seen = at::randn({150, kHidden}).to(at::kCUDA, at::kBFloat16);
    const at::Tensor before = on_gpu.Forward(seen, there);
    ASSERT_TRUE(on_gpu.UseFp8(seen, there));
    // What calibration answers is what came before it.
    EXPECT_TRUE(at::equal(seen, before));
    const at::Tensor x = at::randn({150, kHidden});
    const at::Tensor y = on_gpu.Forward(x.to(at::kCUDA, at::kBFloat16), there);
    const double cosine = Cosine(y, on_cpu.Forward(x, here));
    EXPECT_GT(cosine, 0.998) << heads << " heads";
    EXPECT_LT(cosine, 0.999999) << "nothing was rounded to FP8";
  }
}

TEST_F(TransformerBlockGpuTest, AsGraphs) {
  const BlockConfig config = {
      .heads = 3,
      .mlp = {.hidden = kHidden, .intermediate = kInner, .activation = Activation::kQuickGelu}};
  const TransformerBlock block = Load(config, at::kCUDA, at::kBFloat16);
  const auto forward = [&](const at::Tensor& x) {
    const Sequences sequences = Sequences::OfLength(x.size(0), x.size(1), x.device());
    return block.Forward(x.reshape({-1, kHidden}), sequences).view(x.sizes());
  };
  GraphLadder ladder(forward, {17, kHidden},
                     at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16), 6);
  for (const int64_t count : {1, 3, 6, 15, 2}) {
    const at::Tensor x = at::randn({count, 17, kHidden}).to(at::kBFloat16);
    const at::Tensor y = ladder.Run(x).cpu();
    const at::Tensor expected = forward(x.to(at::kCUDA)).cpu();
    EXPECT_GT(Cosine(y.view({-1, kHidden}), expected.view({-1, kHidden})), 0.9995) << count;
  }
}

}  // namespace
}  // namespace terminus::models::nn
