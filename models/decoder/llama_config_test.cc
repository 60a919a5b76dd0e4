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
  EXPECT_TRUE(Parse(config).qkv_bias);
  EXPECT_FALSE(Parse(config).output_bias);
  EXPECT_EQ(Parse(config).max_positions, 512);
  // Attention within a window equals attention to all only up to its length.
  config["model_type"] = "mistral";
  EXPECT_EQ(Parse(config).max_positions, 64);
  config["eos_token_id"] = 7;
  EXPECT_THAT(Parse(config).eos_token_ids, ElementsAre(7));
  config["eos_token_id"] = {7, 9};
  EXPECT_THAT(Parse(config).eos_token_ids, ElementsAre(7, 9));
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
}

TEST(LlamaConfig, RefusalsNameKeyAndWhatIsSupported) {
  EXPECT_THAT(Refusal({{"model_type", "gpt2"}}),
              AllOf(HasSubstr("config.json"), HasSubstr("gpt2"), HasSubstr("qwen2")));
  json config = Minimal();
  config["hidden_act"] = "gelu";
  config["num_key_value_heads"] = 3;
  config["head_dim"] = 24;
  config["rope_scaling"] = {{"type", "yarn"}, {"factor", -1}};
  config["eos_token_id"] = 100;
  config.erase("vocab_size");
  EXPECT_THAT(Refusal(config), AllOf(HasSubstr("gelu"), HasSubstr("3 do not divide 4"),
                                     HasSubstr("24, supported are multiples of 16"),
                                     HasSubstr("rope_scaling.rope_type: \"yarn\""),
                                     HasSubstr("eos_token_id"), HasSubstr("vocab_size: missing")));
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
