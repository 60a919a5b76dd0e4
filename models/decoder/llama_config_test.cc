#include "models/decoder/llama_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::decoder {
namespace {

using nlohmann::json;
using testing::AllOf;
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
  EXPECT_EQ(Parse(config).max_positions, 512);
  // Attention within a window equals attention to all only up to its length.
  config["model_type"] = "mistral";
  EXPECT_EQ(Parse(config).max_positions, 64);
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
  EXPECT_EQ(mistral.max_positions, 4096);
  const LlamaConfig qwen2 = Parse({{"model_type", "qwen2"}});
  EXPECT_EQ(qwen2.vocab_size, 151936);
  EXPECT_EQ(qwen2.kv_heads, 32);
  EXPECT_EQ(qwen2.max_positions, 32768);
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

TEST(LlamaConfig, WindowsEndTheContext) {
  const auto positions = [](json change) {
    json config = {
        {"model_type", "mistral"}, {"num_hidden_layers", 2}, {"max_position_embeddings", 8192}};
    config.update(change);
    return Parse(config).max_positions;
  };
  EXPECT_EQ(positions(json::object()), 4096);
  EXPECT_EQ(positions({{"sliding_window", nullptr}}), 8192);
  EXPECT_EQ(positions({{"sliding_window", 100}}), 100);
  const json qwen2 = {
      {"model_type", "qwen2"}, {"use_sliding_window", true}, {"sliding_window", 64}};
  const auto with = [&](const json& change) {
    json config = qwen2;
    config.update(change);
    return positions(config);
  };
  // The first window is behind the last layer.
  EXPECT_EQ(with(json::object()), 8192);
  EXPECT_EQ(with({{"max_window_layers", 1}}), 64);
  EXPECT_EQ(with({{"max_window_layers", 1}, {"use_sliding_window", false}}), 8192);
  EXPECT_EQ(with({{"max_window_layers", 1}, {"sliding_window", nullptr}}), 8192);
  EXPECT_EQ(with({{"layer_types", {"full_attention", "sliding_attention"}}}), 64);
  EXPECT_EQ(with({{"max_window_layers", 1}, {"layer_types", {"full_attention", "full_attention"}}}),
            8192);
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

TEST(LlamaConfig, RopeScalingCountsMoreThanRopeParameters) {
  json config = Minimal();
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 4}};
  const RopeConfig rope = Parse(config).rope;
  EXPECT_EQ(rope.scaling, RopeConfig::Scaling::kLinear);
  EXPECT_EQ(rope.factor, 4);
  // Nothing of the other object counts.
  EXPECT_EQ(rope.theta, 10000);
  config["rope_theta"] = 77;
  EXPECT_EQ(Parse(config).rope.theta, 77);
  config["rope_scaling"]["rope_theta"] = 88;
  EXPECT_EQ(Parse(config).rope.theta, 88);
  // An empty one says nothing, nor does null.
  for (const json& nothing : {json::object(), json()}) {
    config["rope_scaling"] = nothing;
    EXPECT_EQ(Parse(config).rope.theta, 5e5);
  }
}

TEST(LlamaConfig, RopeTypesNeedTheirNumbers) {
  json config = Minimal();
  config["rope_parameters"] = {{"rope_type", "llama3"}};
  EXPECT_THAT(Refusal(config),
              AllOf(HasSubstr("rope_parameters.factor: missing"),
                    HasSubstr("low_freq_factor: missing"), HasSubstr("high_freq_factor: missing")));
  config["rope_parameters"].update(
      {{"factor", 8}, {"low_freq_factor", 1}, {"high_freq_factor", 4}});
  EXPECT_EQ(Parse(config).rope.original_max_positions, 512);
  config["rope_parameters"]["original_max_position_embeddings"] = 64;
  EXPECT_EQ(Parse(config).rope.original_max_positions, 64);
  config["original_max_position_embeddings"] = 128;
  EXPECT_EQ(Parse(config).rope.original_max_positions, 128);
  for (const char* type : {"linear", "dynamic"}) {
    config["rope_parameters"] = {{"rope_type", type}};
    EXPECT_THAT(Refusal(config), HasSubstr("rope_parameters.factor: missing")) << type;
  }
  config["rope_parameters"]["factor"] = 2;
  EXPECT_EQ(Parse(config).rope.scaling, RopeConfig::Scaling::kDefault);
  config["rope_parameters"] = {{"full_attention", {{"rope_type", "default"}}}};
  EXPECT_THAT(Refusal(config), HasSubstr("rope_parameters.full_attention"));
  config["rope_parameters"] = {{"rope_type", "longrope"}};
  config["partial_rotary_factor"] = 0.5;
  EXPECT_THAT(Refusal(config), AllOf(HasSubstr("\"longrope\", supported are"),
                                     HasSubstr("partial_rotary_factor: 0.5")));
}

TEST(LlamaConfig, RopeInBothPlaces) {
  json old = Minimal();
  old["rope_theta"] = 5e5;
  old["rope_scaling"] = {{"rope_type", "llama3"},
                         {"factor", 32},
                         {"low_freq_factor", 1},
                         {"high_freq_factor", 4},
                         {"original_max_position_embeddings", 8192}};
  json recent = Minimal();
  recent["rope_parameters"] = old["rope_scaling"];
  recent["rope_parameters"]["rope_theta"] = 5e5;
  for (const json& config : {old, recent}) {
    const RopeConfig rope = Parse(config).rope;
    EXPECT_EQ(rope.theta, 5e5);
    EXPECT_EQ(rope.scaling, RopeConfig::Scaling::kLlama3);
    EXPECT_EQ(rope.factor, 32);
  }
}

TEST(LlamaConfig, FrequenciesFallAndLongWavesAreStretched) {
  EXPECT_THAT(RopeFrequencies({.theta = 100}, 4), ElementsAre(1, testing::FloatEq(0.1f)));
  const RopeConfig scaled{.theta = 5e5, .scaling = RopeConfig::Scaling::kLlama3, .factor = 8};
  const auto before = RopeFrequencies({.theta = 5e5}, 128);
  const auto after = RopeFrequencies(scaled, 128);
  EXPECT_EQ(after.front(), before.front());
  EXPECT_FLOAT_EQ(after.back(), before.back() / 8);
  const RopeConfig linear{.theta = 5e5, .scaling = RopeConfig::Scaling::kLinear, .factor = 8};
  EXPECT_FLOAT_EQ(RopeFrequencies(linear, 128).front(), before.front() / 8);
}

TEST(LlamaConfig, RefusalsNameKeyAndWhatIsSupported) {
  EXPECT_THAT(Refusal({{"model_type", "gpt2"}}),
              AllOf(HasSubstr("config.json"), HasSubstr("gpt2"), HasSubstr("qwen2")));
  json config = Minimal();
  config["hidden_act"] = "gelu";
  config["num_key_value_heads"] = 3;
  config["head_dim"] = 24;
  config["rope_scaling"] = {{"type", "yarn"}, {"factor", -1}};
  config["vocab_size"] = 0;
  EXPECT_THAT(Refusal(config),
              AllOf(HasSubstr("gelu"), HasSubstr("3 do not divide 4"),
                    HasSubstr("24, supported are multiples of 16"),
                    HasSubstr("rope_scaling.rope_type: \"yarn\""), HasSubstr("vocab_size: 0")));
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
