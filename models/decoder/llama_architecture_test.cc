#include "models/decoder/llama_architecture.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::decoder {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LlamaConfig Config(bool qk_norm) {
  LlamaConfig config;
  config.hidden_size = 6;
  config.layers = 3;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.intermediate_size = 10;
  config.qk_norm = qk_norm;
  config.layer_attention = {{.window = 9}, {.rope = false}, {}};
  return config;
}

// A back end that holds the descriptions themselves.
struct Loader {
  std::string LoadNorm(const NormSpec& norm) const { return norm.name; }
  LinearSpec LoadLinear(const LinearSpec& linear) const { return linear; }
};
using Layers = std::vector<LlamaLayer<std::string, LinearSpec>>;

// Notes the operations that it is asked for.
class RecordingOps {
 public:
  using Linear = LinearSpec;

  void Norm(const std::string& norm) { Note("norm ", norm); }
  void ProjectQkv(const Linear& linear) { Note("qkv ", linear.parts[0].name); }
  void PrepareHeads(const HeadSteps<std::string>& steps, int layer) {
    Note("heads ", layer, steps.query_norm == nullptr ? "" : " " + *steps.query_norm,
         steps.key_norm == nullptr ? "" : " " + *steps.key_norm, steps.rope ? " rope" : "");
  }
  void Attend(const LayerAttention& attention, int layer) {
    Note("attend ", layer, " within ", attention.window);
  }
  void AddAttended(const Linear& linear, const std::string& norm) {
    Note("add ", linear.parts[0].name, ", norm ", norm);
  }
  void ProjectGated(const Linear& linear) { Note("gated ", linear.parts[0].name); }
  void AddInner(const Linear& linear, const std::string* next) {
    Note("add ", linear.parts[0].name, next == nullptr ? "" : ", norm " + *next);
  }

  std::vector<std::string> notes;

 private:
  template <class... Parts>
  void Note(const Parts&... parts) {
    notes.push_back(absl::StrCat(parts...));
  }
};

TEST(LlamaArchitecture, LayersRunInOrder) {
  const LlamaConfig config = Config(/*qk_norm=*/true);
  // A stage of the last two layers.
  Layers layers;
  for (int i = 1; i < config.layers; ++i) {
    layers.push_back(LoadLlamaLayer(DescribeLayer(config, i), Loader()));
  }
  RecordingOps ops;
  RunLlamaLayers(config, 1, layers, ops);
  EXPECT_THAT(ops.notes,
              ElementsAre("norm layers.1.input_layernorm", "qkv layers.1.self_attn.q_proj",
                          "heads 0 layers.1.self_attn.q_norm layers.1.self_attn.k_norm",
                          "attend 0 within 0",
                          "add layers.1.self_attn.o_proj, norm layers.1.post_attention_layernorm",
                          "gated layers.1.mlp.gate_proj",
                          "add layers.1.mlp.down_proj, norm layers.2.input_layernorm",
                          "qkv layers.2.self_attn.q_proj",
                          "heads 1 layers.2.self_attn.q_norm layers.2.self_attn.k_norm rope",
                          "attend 1 within 0",
                          "add layers.2.self_attn.o_proj, norm layers.2.post_attention_layernorm",
                          "gated layers.2.mlp.gate_proj", "add layers.2.mlp.down_proj"));
}

TEST(LlamaArchitecture, HeadsAreNormalisedAndWindowsGivenAsTheConfigSays) {
  LlamaConfig config = Config(/*qk_norm=*/false);
  const LayerSpec spec = DescribeLayer(config, 0);
  EXPECT_THAT(spec.query_norm.name, IsEmpty());
  EXPECT_THAT(spec.key_norm.name, IsEmpty());
  Layers layers;
  layers.push_back(LoadLlamaLayer(spec, Loader()));
  RecordingOps ops;
  RunLlamaLayers(config, 0, layers, ops);
  EXPECT_EQ(ops.notes[2], "heads 0 rope");
  EXPECT_EQ(ops.notes[3], "attend 0 within 9");
}

TEST(LlamaArchitecture, ShapesFollowTheConfig) {
  LlamaConfig config = Config(/*qk_norm=*/true);
  config.qkv_bias = true;
  const LayerSpec spec = DescribeLayer(config, 2);
  EXPECT_EQ(spec.qkv.in, 6);
  EXPECT_EQ(spec.qkv.out(), 4 * 16 + 2 * 2 * 16);
  EXPECT_EQ(spec.qkv.parts[1].out, 32);
  EXPECT_EQ(spec.attention_out.in, 64);
  EXPECT_EQ(spec.attention_out.out(), 6);
  EXPECT_EQ(spec.gate_up.out(), 20);
  EXPECT_EQ(spec.down.in, 10);
  EXPECT_EQ(spec.query_norm.width, 16);
  EXPECT_EQ(spec.mlp_norm.width, 6);
  EXPECT_TRUE(spec.qkv.bias && !spec.attention_out.bias && !spec.gate_up.bias);
  EXPECT_TRUE(spec.gate_up.gated && !spec.qkv.gated);
}

}  // namespace
}  // namespace terminus::models::decoder
