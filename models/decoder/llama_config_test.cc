#include "models/decoder/llama_config.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::decoder {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

json Minimal() {
  return {{"model_type", "llama"},         {"vocab_size", 100},        {"hidden_size", 64},
          {"num_hidden_layers", 2},        {"num_attention_heads", 4}, {"intermediate_size", 96},
          {"max_position_embeddings", 512}};
}

LlamaConfig Parse(const json& config) {
  const auto parsed = ParseLlamaConfig("config.json", config.dump());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(LlamaConfig{});
}

std::vector<int> WindowsOf(const LlamaConfig& config) {
  std::vector<int> windows;
  for (const LayerAttention& layer : config.layer_attention) {
    windows.push_back(layer.window);
  }
  return windows;
}

std::vector<bool> RopeOf(const LlamaConfig& config) {
  std::vector<bool> rope;
  for (const LayerAttention& layer : config.layer_attention) {
    rope.push_back(layer.rope);
  }
  return rope;
}

std::string Refusal(const json& config) {
  const auto parsed = ParseLlamaConfig("config.json", config.dump());
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(LlamaConfig, DefaultsFollowTheFamily) {
  const LlamaConfig llama = Parse(Minimal());
  EXPECT_EQ(llama.kv_heads, 4);
  EXPECT_EQ(llama.head_dim, 16);
  EXPECT_FALSE(llama.tied_embeddings || llama.qkv_bias || llama.output_bias || llama.mlp_bias);
  EXPECT_EQ(llama.rope.theta, 10000);
  json config = Minimal();
  config["model_type"] = "qwen2";
  config["sliding_window"] = 64;
  config["use_sliding_window"] = false;
  config["num_key_value_heads"] = 4;
  EXPECT_TRUE(Parse(config).qkv_bias);
  EXPECT_FALSE(Parse(config).output_bias);
  EXPECT_THAT(WindowsOf(Parse(config)), ElementsAre(0, 0));
  config["model_type"] = "mistral";
  EXPECT_THAT(WindowsOf(Parse(config)), ElementsAre(64, 64));
  EXPECT_EQ(Parse(config).max_positions, 512);
}

TEST(LlamaConfig, AbsentKeysAreTheClassesDefaults) {
  const LlamaConfig llama = Parse({{"model_type", "llama"}});
  EXPECT_EQ(llama.vocab_size, 32000);
  EXPECT_EQ(llama.intermediate_size, 11008);
  EXPECT_EQ(llama.kv_heads, 32);
  EXPECT_EQ(llama.head_dim, 128);
  EXPECT_EQ(llama.max_positions, 2048);
  EXPECT_EQ(llama.rms_norm_eps, 1e-6f);
  const LlamaConfig mistral = Parse({{"model_type", "mistral"}});
  EXPECT_EQ(mistral.intermediate_size, 14336);
  EXPECT_EQ(mistral.kv_heads, 8);
  EXPECT_EQ(mistral.max_positions, 131072);
  EXPECT_THAT(WindowsOf(mistral), Each(4096));
  const LlamaConfig qwen2 = Parse({{"model_type", "qwen2"}});
  EXPECT_EQ(qwen2.vocab_size, 151936);
  EXPECT_EQ(qwen2.kv_heads, 32);
  EXPECT_EQ(qwen2.max_positions, 32768);
  const LlamaConfig qwen3 = Parse({{"model_type", "qwen3"}});
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_TRUE(qwen3.qk_norm && !qwen3.qkv_bias);
  const LlamaConfig smollm3 = Parse({{"model_type", "smollm3"}});
  EXPECT_EQ(smollm3.layers, 36);
  EXPECT_EQ(smollm3.head_dim, 128);
  EXPECT_EQ(smollm3.rope.theta, 2e6);
  EXPECT_TRUE(smollm3.tied_embeddings);
  EXPECT_FALSE(Parse({{"model_type", "llama"}}).tied_embeddings);
  // Null is as many heads as queries have, absent is 32.
  EXPECT_EQ(
      Parse(
          {{"model_type", "qwen2"}, {"num_attention_heads", 16}, {"num_key_value_heads", nullptr}})
          .kv_heads,
      16);
}

TEST(LlamaConfig, BiasesThatTheFamilyReads) {
  for (const char* type : {"mistral", "qwen2"}) {
    const LlamaConfig config =
        Parse({{"model_type", type}, {"attention_bias", true}, {"mlp_bias", true}});
    EXPECT_FALSE(config.output_bias || config.mlp_bias) << type;
    EXPECT_EQ(config.qkv_bias, type == std::string("qwen2"));
  }
  EXPECT_TRUE(Parse({{"model_type", "llama"}, {"attention_bias", true}}).output_bias);
}

TEST(LlamaConfig, WindowsOfLayers) {
  const auto windows = [](const json& config, const json& change) {
    json changed = config;
    changed.update({{"num_hidden_layers", 2}, {"max_position_embeddings", 8192}});
    changed.update(change);
    return WindowsOf(Parse(changed));
  };
  const json mistral = {{"model_type", "mistral"}};
  EXPECT_THAT(windows(mistral, json::object()), ElementsAre(4096, 4096));
  EXPECT_THAT(windows(mistral, {{"sliding_window", nullptr}}), ElementsAre(0, 0));
  EXPECT_THAT(windows(mistral, {{"sliding_window", 100}}), ElementsAre(100, 100));
  // No context is longer.
  EXPECT_THAT(windows(mistral, {{"sliding_window", 8192}}), ElementsAre(0, 0));
  EXPECT_THAT(windows(mistral, {{"sliding_window", int64_t{1} << 32}}), ElementsAre(0, 0));
  for (const char* type : {"qwen2", "qwen3"}) {
    const json qwen = {{"model_type", type}, {"use_sliding_window", true}, {"sliding_window", 64}};
    // By default, windows start only after the last layer.
    EXPECT_THAT(windows(qwen, json::object()), ElementsAre(0, 0));
    EXPECT_THAT(windows(qwen, {{"max_window_layers", 1}}), ElementsAre(0, 64));
    EXPECT_THAT(windows(qwen, {{"max_window_layers", 1}, {"use_sliding_window", false}}),
                ElementsAre(0, 0));
    EXPECT_THAT(windows(qwen, {{"max_window_layers", 1}, {"sliding_window", nullptr}}),
                ElementsAre(0, 0));
    EXPECT_THAT(windows(qwen, {{"layer_types", {"sliding_attention", "full_attention"}}}),
                ElementsAre(64, 0));
    EXPECT_THAT(windows(qwen, {{"max_window_layers", 1},
                               {"layer_types", {"full_attention", "full_attention"}}}),
                ElementsAre(0, 0));
  }
}

TEST(LlamaConfig, SmolLm3LayersWithoutRope) {
  json config = Minimal();
  config["model_type"] = "smollm3";
  config["num_hidden_layers"] = 4;
  EXPECT_THAT(RopeOf(Parse(config)), ElementsAre(true, true, true, false));
  config["no_rope_layer_interval"] = 2;
  EXPECT_THAT(RopeOf(Parse(config)), ElementsAre(true, false, true, false));
  // The list counts more, and may be too long.
  config["no_rope_layers"] = {0, 1, 1, 0, 0};
  EXPECT_THAT(RopeOf(Parse(config)), ElementsAre(false, true, true, false));
  // Layers without rope have the window.
  config["sliding_window"] = 32;
  EXPECT_THAT(WindowsOf(Parse(config)), ElementsAre(0, 0, 0, 0));
  config["use_sliding_window"] = true;
  EXPECT_THAT(WindowsOf(Parse(config)), ElementsAre(32, 0, 0, 32));
  config["layer_types"] = {"full_attention", "sliding_attention", "full_attention",
                           "full_attention"};
  EXPECT_THAT(WindowsOf(Parse(config)), ElementsAre(0, 32, 0, 0));
  config["sliding_window"] = nullptr;
  EXPECT_THAT(Refusal(config), HasSubstr("needs \"sliding_window\""));
  config["no_rope_layers"] = {0, 1};
  EXPECT_THAT(Refusal(config), HasSubstr("no_rope_layers: expected a list of at least 4"));
  config["no_rope_layers"] = {0, 1, "x", 0};
  EXPECT_THAT(Refusal(config), HasSubstr("no_rope_layers: \"x\", expected 0 or 1"));
  config.erase("no_rope_layers");
  config["no_rope_layer_interval"] = 0;
  EXPECT_THAT(Refusal(config), HasSubstr("no_rope_layer_interval: 0"));
}

TEST(LlamaConfig, RefusesOtherMasks) {
  json config = Minimal();
  config["is_causal"] = false;
  config["sliding_window"] = 4096;
  config["layer_types"] = {"full_attention", "sliding_attention"};
  config["attention_chunk_size"] = 16;
  EXPECT_THAT(Refusal(config),
              AllOf(HasSubstr("is_causal: false"), HasSubstr("sliding_window: 4096"),
                    HasSubstr("layer_types: \"sliding_attention\""),
                    HasSubstr("attention_chunk_size: 16")));
  config = Minimal();
  config["layer_types"] = {"full_attention"};
  EXPECT_THAT(Refusal(config), HasSubstr("expected a list of 2 strings"));
  config = Minimal();
  config["model_type"] = "qwen2";
  config["num_key_value_heads"] = 4;
  config["layer_types"] = {"full_attention", "sliding_attention"};
  EXPECT_THAT(Refusal(config), HasSubstr("needs \"use_sliding_window\""));
}

TEST(LlamaConfig, RefusesQuantizedWeights) {
  json config = Minimal();
  config["quantization_config"] = {{"quant_method", "fp8"}};
  EXPECT_THAT(Refusal(config),
              HasSubstr("quantization_config: {\"quant_method\":\"fp8\"}, not supported"));
}

TEST(LlamaConfig, RefusalsNameKeyAndWhatIsSupported) {
  EXPECT_THAT(Refusal({{"model_type", "gpt2"}}),
              AllOf(HasSubstr("config.json"), HasSubstr("gpt2"), HasSubstr("qwen2")));
  json config = Minimal();
  config["hidden_act"] = "gelu";
  config["num_key_value_heads"] = 3;
  config["head_dim"] = 24;
  config["rope_scaling"] = {{"type", "axial"}, {"factor", -1}};
  config["vocab_size"] = 0;
  EXPECT_THAT(Refusal(config),
              AllOf(HasSubstr("gelu"), HasSubstr("3 do not divide 4"),
                    HasSubstr("24, supported are multiples of 16"),
                    HasSubstr("rope_scaling.rope_type: \"axial\""), HasSubstr("vocab_size: 0")));
  config = Minimal();
  config["rope_scaling"] = 3;
  EXPECT_THAT(Refusal(config), HasSubstr("rope_scaling: expected an object"));
  config = Minimal();
  config["rope_theta"] = 0;
  EXPECT_THAT(Refusal(config), HasSubstr("rope_theta"));
  // Would overflow float32, or vanish in it.
  config["rope_theta"] = 1e-300;
  config["rms_norm_eps"] = 1e-60;
  EXPECT_THAT(Refusal(config), AllOf(HasSubstr("rope_theta: 1e-300, expected a number from 1"),
                                     HasSubstr("rms_norm_eps: 1e-60")));
  EXPECT_EQ(ParseLlamaConfig("x", "[]").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseLlamaConfig("x", "{").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace terminus::models::decoder
