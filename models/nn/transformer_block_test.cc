#include "models/nn/transformer_block.h"

#include <cmath>

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/nn/attention.h"

namespace terminus::models::nn {
namespace {

constexpr BlockNames kNames = {.norm1 = "n1",
                               .query = "q",
                               .key = "k",
                               .value = "v",
                               .attention_out = "o",
                               .norm2 = "n2",
                               .up = "up",
                               .down = "down",
                               .scale1 = "s1",
                               .scale2 = "s2"};
const std::vector<int32_t> kOffsets = {0, 5, 6, 15};

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// The formula of the header, step by step in double precision, each sequence by itself.
class Reference {
 public:
  explicit Reference(const BlockConfig& config) : config_(config) {}

  at::Tensor Run(const at::Tensor& packed) const {
    std::vector<at::Tensor> outs;
    for (size_t i = 0; i + 1 < kOffsets.size(); ++i) {
      outs.push_back(RunOne(packed.slice(0, kOffsets[i], kOffsets[i + 1]).to(at::kDouble)));
    }
    return at::cat(outs);
  }

 private:
  static at::Tensor Fake(const std::string& name, const std::vector<int64_t>& shape) {
    return at::tensor(checkpoint::FakeTensor(name, shape)).view(shape).to(at::kDouble);
  }

  at::Tensor Map(const std::string& name, const at::Tensor& x, int64_t out, bool bias) const {
    const at::Tensor y = at::matmul(x, Fake(name + ".weight", {out, x.size(1)}).t());
    return bias ? y + Fake(name + ".bias", {out}) : y;
  }

  at::Tensor Norm(const std::string& name, const at::Tensor& x) const {
    const at::Tensor centred = x - x.mean(1, true);
    const at::Tensor scaled =
        centred / (centred.square().mean(1, true) + config_.layer_norm_eps).sqrt();
    return scaled * Fake(name + ".weight", {x.size(1)}) + Fake(name + ".bias", {x.size(1)});
  }

  at::Tensor Activate(const at::Tensor& x) const {
    switch (config_.mlp.activation) {
      case Activation::kQuickGelu:
        return x / (1 + (-1.702 * x).exp());
      case Activation::kGeluTanh:
        return 0.5 * x * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))).tanh());
      default:
        return 0.5 * x * (1 + (x / std::sqrt(2.0)).erf());
    }
  }

  at::Tensor RunOne(const at::Tensor& x) const {
    const int64_t hidden = x.size(1);
    const int64_t head_dim = hidden / config_.heads;
    const auto heads = [&](const char* name) {
      return Map(name, Norm("n1", x), hidden, config_.qkv_bias)
          .view({-1, config_.heads, head_dim})
          .transpose(0, 1);
    };
    at::Tensor scores = at::matmul(heads("q"), heads("k").transpose(1, 2)) / std::sqrt(head_dim);
    if (config_.causal) {
      scores.masked_fill_(at::ones_like(scores[0]).triu(1).to(at::kBool), -INFINITY);
    }
    const at::Tensor attended =
        at::matmul(at::softmax(scores, -1), heads("v")).transpose(0, 1).reshape({-1, hidden});
    const auto scaled = [&](const char* name, const at::Tensor& y) {
      return config_.layer_scale ? y * Fake(name, {hidden}) : y;
    };
    const at::Tensor y = x + scaled("s1", Map("o", attended, hidden, true));
    const int64_t inner = config_.mlp.intermediate;
    at::Tensor up = Map("up", Norm("n2", y), config_.mlp.gated ? 2 * inner : inner, true);
    if (config_.mlp.gated) {
      const auto parts = up.chunk(2, 1);
      up = parts[0] / (1 + (-parts[0]).exp()) * parts[1];
    } else {
      up = Activate(up);
    }
    return y + scaled("s2", Map("down", up, hidden, true));
  }

  BlockConfig config_;
};

nlohmann::json Tensors(const BlockConfig& config) {
  const int hidden = config.mlp.hidden;
  const int inner = config.mlp.intermediate;
  nlohmann::json tensors;
  const auto map = [&](const std::string& name, int in, int out) {
    tensors.push_back({name + ".weight", {out, in}});
    tensors.push_back({name + ".bias", {out}});
  };
  for (const char* name : {"q", "k", "v", "o"}) map(name, hidden, hidden);
  map("up", hidden, config.mlp.gated ? 2 * inner : inner);
  map("down", inner, hidden);
  for (const char* name : {"n1.weight", "n1.bias", "n2.weight", "n2.bias", "s1", "s2"}) {
    tensors.push_back({name, {hidden}});
  }
  return tensors;
}

TEST(TransformerBlockTest, EqualsTheFormulaInEveryDType) {
  at::manual_seed(1);
  // A head size that the CPU's kernel takes, and one that LibTorch's attention computes.
  for (const int heads : {2, 3}) {
    const MlpConfig mlp = {.hidden = heads == 2 ? 32 : 36, .intermediate = 56};
    const BlockConfig plain = {.heads = heads, .layer_norm_eps = 1e-5, .mlp = mlp};
    BlockConfig text = plain;
    text.causal = true;
    text.mlp.activation = Activation::kQuickGelu;
    BlockConfig tanh = plain;
    tanh.mlp.activation = Activation::kGeluTanh;
    BlockConfig giant = plain;
    giant.layer_scale = true;
    giant.qkv_bias = false;
    giant.mlp.gated = true;
    for (const BlockConfig& config : {plain, text, tanh, giant}) {
      const base::TempFolder folder;
      ASSERT_TRUE(
          checkpoint::WriteFakeWeights(folder.Path("model.safetensors"), Tensors(config)).ok());
      const at::Tensor x = at::randn({kOffsets.back(), mlp.hidden});
      const at::Tensor expected = Reference(config).Run(x);
      for (const auto& [dtype, tolerance] :
           {std::pair(at::kFloat, 1e-5), std::pair(at::kDouble, 1e-6),
            std::pair(at::kBFloat16, 0.1)}) {
        auto weights = checkpoint::Weights::Open(folder.path(), at::kCPU);
        ASSERT_TRUE(weights.ok()) << weights.status();
        const TransformerBlock block(config, kNames, "", Loader(*weights, dtype));
        ASSERT_TRUE(weights->Finish().ok()) << weights->Finish();
        const at::Tensor y = block.Forward(x.to(dtype), Sequences(kOffsets, at::kCPU));
        EXPECT_EQ(y.scalar_type(), dtype);
        EXPECT_LT(MaxDifference(y, expected), tolerance) << heads << " heads, " << dtype;
        const at::Tensor rows = at::tensor({14, 5}, at::kLong);
        const at::Tensor some = block.ForwardRows(x.to(dtype), Sequences(kOffsets, at::kCPU), rows);
        EXPECT_LT(MaxDifference(some, expected.index_select(0, rows)), tolerance);
      }
    }
  }
}

TEST(AttentionTest, TextsOfOneLengthEqualEachAlone) {
  at::manual_seed(1);
  const at::Tensor qkv = at::randn({12, 3 * 4 * 6});
  for (const bool causal : {false, true}) {
    const at::Tensor all = PackedSelfAttention(qkv, Sequences({0, 4, 8, 12}, at::kCPU), 4, causal);
    for (int64_t i = 0; i < 12; i += 4) {
      const at::Tensor one =
          PackedSelfAttention(qkv.slice(0, i, i + 4), Sequences({0, 4}, at::kCPU), 4, causal);
      EXPECT_LT(MaxDifference(all.slice(0, i, i + 4), one), 1e-6);
    }
  }
}

}  // namespace
}  // namespace terminus::models::nn
