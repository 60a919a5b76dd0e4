// Positions: what a config.json says of them, and the angles that follow.
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/settings/collector.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/decoder/llama_config.h"

namespace terminus::models::decoder {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json Minimal() {
  return {{"model_type", "llama"},         {"vocab_size", 100},        {"hidden_size", 64},
          {"num_hidden_layers", 2},        {"num_attention_heads", 4}, {"intermediate_size", 96},
          {"max_position_embeddings", 512}};
}

json With(const json& parameters) {
  json config = Minimal();
  config["rope_parameters"] = parameters;
  return config;
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

TEST(Rope, ScalingCountsMoreThanRopeParameters) {
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

TEST(Rope, TypesNeedTheirNumbers) {
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
  config["rope_parameters"] = {{"rope_type", "proportional"}};
  config["partial_rotary_factor"] = 0.5;
  EXPECT_THAT(Refusal(config), AllOf(HasSubstr("\"proportional\", supported are"),
                                     HasSubstr("partial_rotary_factor: 0.5")));
}

TEST(Rope, InBothPlaces) {
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

TEST(Rope, FrequenciesFallAndLongWavesAreStretched) {
  EXPECT_THAT(RopeFrequencies({.theta = 100}, 4), ElementsAre(1, testing::FloatEq(0.1f)));
  const RopeConfig scaled{.theta = 5e5, .scaling = RopeConfig::Scaling::kLlama3, .factor = 8};
  const auto before = RopeFrequencies({.theta = 5e5}, 128);
  const auto after = RopeFrequencies(scaled, 128);
  EXPECT_EQ(after.front(), before.front());
  EXPECT_FLOAT_EQ(after.back(), before.back() / 8);
  const RopeConfig linear{.theta = 5e5, .scaling = RopeConfig::Scaling::kLinear, .factor = 8};
  EXPECT_FLOAT_EQ(RopeFrequencies(linear, 128).front(), before.front() / 8);
}

// By hand: pairs 0 and 1 keep their frequency, those from 5 on are divided by the factor.
TEST(Rope, YarnInterpolatesBetweenItsBounds) {
  const RopeConfig rope{.theta = 100,
                        .scaling = RopeConfig::Scaling::kYarn,
                        .factor = 4,
                        .beta_fast = 8,
                        .beta_slow = 1,
                        .original_max_positions = 1.01 * 8 * 2 * M_PI * std::pow(100, 2.0 / 16)};
  const auto plain = RopeFrequencies({.theta = 100}, 16);
  const auto scaled = RopeFrequencies(rope, 16);
  // 8 turns at pair 1.02, one turn at 1.02 + 16 · log(8) / (2 · log(100)) = 4.63.
  for (const int kept : {0, 1}) EXPECT_FLOAT_EQ(scaled[kept], plain[kept]);
  for (const int divided : {5, 6, 7}) EXPECT_FLOAT_EQ(scaled[divided], plain[divided] / 4);
  EXPECT_FLOAT_EQ(scaled[2], plain[2] * (0.75f + 0.25f / 4));
  RopeConfig exact = rope;
  exact.truncate = false;
  EXPECT_LT(RopeFrequencies(exact, 16)[4], scaled[4]);
}

TEST(Rope, YarnsAttentionFactor) {
  const json yarn = {
      {"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 128}};
  const auto factor = [&](const json& change) {
    json parameters = yarn;
    parameters.update(change);
    return Parse(With(parameters)).rope.attention_factor;
  };
  EXPECT_DOUBLE_EQ(factor(json::object()), 0.1 * std::log(4) + 1);
  EXPECT_EQ(factor({{"attention_factor", 1.25}}), 1.25);
  EXPECT_DOUBLE_EQ(factor({{"mscale", 1}, {"mscale_all_dim", 0.5}}),
                   (0.1 * std::log(4) + 1) / (0.05 * std::log(4) + 1));
  // One of the two alone, or a zero, says nothing.
  EXPECT_DOUBLE_EQ(factor({{"mscale", 2}}), 0.1 * std::log(4) + 1);
  EXPECT_DOUBLE_EQ(factor({{"mscale", 2}, {"mscale_all_dim", 0}}), 0.1 * std::log(4) + 1);
  EXPECT_EQ(factor({{"factor", 1}}), 1);
  // Null is the ratio of the two contexts, 512 and 128.
  EXPECT_DOUBLE_EQ(factor({{"factor", nullptr}}), 0.1 * std::log(4) + 1);
}

TEST(Rope, YarnRefusesWhatHasNoAnswer) {
  EXPECT_THAT(Refusal(With({{"rope_type", "yarn"}})), HasSubstr("rope_parameters.factor: missing"));
  EXPECT_THAT(Refusal(With({{"rope_type", "yarn"},
                            {"factor", 2},
                            {"rope_theta", 1},
                            {"truncate", nullptr},
                            {"beta_fast", 1},
                            {"beta_slow", 2},
                            {"attention_factor", -1}})),
              AllOf(HasSubstr("rope_theta: expected more than 1"), HasSubstr("truncate: null"),
                    HasSubstr("beta_fast: expected at least beta_slow"),
                    HasSubstr("attention_factor: -1")));
}

json LongRope() {
  return {{"rope_type", "longrope"},
          {"short_factor", json::array({1, 1, 2, 2, 3, 3, 4, 4})},
          {"long_factor", json::array({2, 2, 4, 4, 6, 6, 8, 8})},
          {"original_max_position_embeddings", 128}};
}

TEST(Rope, LongRopeEndsWhereItsLongFactorsWouldBegin) {
  terminus::settings::Collector collector;
  const LlamaConfig config = Parse(With(LongRope()));
  EXPECT_EQ(config.max_positions, 128);
  EXPECT_THAT(collector.warnings(),
              ElementsAre(AllOf(HasSubstr("\"longrope\""), HasSubstr("end at 128 tokens"))));
  EXPECT_DOUBLE_EQ(config.rope.attention_factor, std::sqrt(1 + std::log(4) / std::log(128)));
  const auto plain = RopeFrequencies({}, 16);
  const auto scaled = RopeFrequencies(config.rope, 16);
  EXPECT_FLOAT_EQ(scaled[1], plain[1]);
  EXPECT_FLOAT_EQ(scaled[7], plain[7] / 4);
}

TEST(Rope, LongRopeWithoutALongerContextNeedsNoWarning) {
  terminus::settings::Collector collector;
  json parameters = LongRope();
  parameters.erase("original_max_position_embeddings");
  const LlamaConfig config = Parse(With(parameters));
  EXPECT_EQ(config.max_positions, 512);
  EXPECT_EQ(config.rope.attention_factor, 1);
  EXPECT_THAT(collector.warnings(), IsEmpty());
}

TEST(Rope, LongRopeNeedsAFactorForEachPair) {
  json parameters = LongRope();
  parameters["short_factor"] = json::array({1, 1});
  EXPECT_THAT(Refusal(With(parameters)), HasSubstr("short_factor: expected 8 numbers"));
  parameters["short_factor"] = json::array({1, 1, 2, 2, 3, 3, 4, 0});
  EXPECT_THAT(Refusal(With(parameters)), HasSubstr("short_factor: 0, expected numbers from"));
  parameters.erase("short_factor");
  EXPECT_THAT(Refusal(With(parameters)), HasSubstr("short_factor: missing"));
}

}  // namespace
}  // namespace terminus::models::decoder
