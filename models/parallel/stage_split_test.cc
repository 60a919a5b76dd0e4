#include "models/parallel/stage_split.h"

#include <algorithm>
#include <functional>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/parallel/shapes.h"

namespace terminus::models::parallel {
namespace {

using testing::HasSubstr;

// Few rows of short contexts: what weights take to read is all that counts.
constexpr Work kFewRows{.rows = 1, .context = 16};

CostModel Costs(const char* shape, int tensor = 1) {
  return CostModel(ShapeByName(shape).value(), tensor, Rates());
}

double CeilingOf(const CostModel& costs, const char* text, int stages, const Work& work) {
  return BusyCeiling(StageCosts(costs, ParseSplit(text, stages, costs.layers()).value(), work));
}

TEST(StageSplit, TheHeadOfLlama8bCountsAs2Point4Layers) {
  const CostModel costs = Costs("8b");
  EXPECT_NEAR(costs.Head(kFewRows) / costs.Layer(0, kFewRows), 2.41, 0.01);
  EXPECT_NEAR(CeilingOf(costs, "16/16", 2, kFewRows), 0.935, 0.0005);
  EXPECT_NEAR(CeilingOf(costs, "17/15", 2, kFewRows), 0.988, 0.0005);
  EXPECT_NEAR(CeilingOf(costs, "8/8/8/8", 4, kFewRows), 0.826, 0.0005);
  EXPECT_NEAR(CeilingOf(costs, "9/9/8/6", 4, kFewRows), 0.956, 0.0005);
}

TEST(StageSplit, FindsTheSplitsOfLlama8b) {
  const CostModel costs = Costs("8b");
  for (const Work& work : {kFewRows, WorkOf(Mix())}) {
    EXPECT_EQ(FormatSplit(SplitLayers(costs, 1, work)), "32");
    EXPECT_EQ(FormatSplit(SplitLayers(costs, 2, work)), "17/15");
    EXPECT_EQ(FormatSplit(SplitLayers(costs, 4, work)), "9/9/8/6");
    const Split each = SplitLayers(costs, 32, work);
    EXPECT_EQ(each.size(), 32u);
    EXPECT_EQ(each.back().last, 32);
  }
}

// The head computes a row for each sequence, layers for each token: with many tokens of prompts it
// counts for little.
TEST(StageSplit, PromptsMakeTheHeadCheap) {
  const Work work = WorkOf({.rows = 32, .context = 512, .prompt_tokens = 64});
  EXPECT_EQ(FormatSplit(SplitLayers(Costs("8b"), 2, work)), "16/16");
}

// A model of layers with windows, so that layers cost differently.
CostModel Uneven(std::mt19937& random, int layers) {
  decoder::LlamaConfig config = ShapeByName("8b").value();
  config.layers = layers;
  config.vocab_size = 1 + static_cast<int>(random() % 100000);
  config.layer_attention.resize(layers);
  for (decoder::LayerAttention& layer : config.layer_attention) {
    layer.window = static_cast<int>(random() % 4) * 4096;
  }
  return CostModel(config, 1, Rates());
}

TEST(StageSplit, NoOtherSplitIsBetter) {
  std::mt19937 random(5);
  const Work work{.rows = 64, .context = 16384};
  for (int round = 0; round < 40; ++round) {
    const int layers = 2 + static_cast<int>(random() % 8);
    const CostModel costs = Uneven(random, layers);
    const int stages = 1 + static_cast<int>(random() % layers);
    const auto worst = [&](const Split& split) {
      const std::vector<double> seconds = StageCosts(costs, split, work);
      return *std::max_element(seconds.begin(), seconds.end());
    };
    const auto squares = [&](const Split& split) {
      double sum = 0;
      for (const double seconds : StageCosts(costs, split, work)) {
        sum += seconds * seconds;
      }
      return sum;
    };
    const Split found = SplitLayers(costs, stages, work);
    ASSERT_EQ(found.size(), static_cast<size_t>(stages));
    int checked = 0;
    Split split;
    const std::function<void(int)> visit = [&](int first) {
      const int left = stages - static_cast<int>(split.size());
      if (left == 0) {
        ++checked;
        EXPECT_GE(worst(split) * 1.001001, worst(found)) << FormatSplit(split);
        if (worst(split) <= worst(found)) {
          EXPECT_GE(squares(split) * 1.001, squares(found)) << FormatSplit(split);
        }
        return;
      }
      for (int last = left == 1 ? layers : first + 1; last <= layers - left + 1; ++last) {
        split.push_back({first, last});
        visit(last);
        split.pop_back();
      }
    };
    visit(0);
    EXPECT_GE(checked, 1);
  }
}

TEST(StageSplit, EqualSplitsPutMoreLayersFirst) {
  decoder::LlamaConfig config = ShapeByName("8b").value();
  config.layers = 6;
  config.layer_attention.resize(6);
  config.vocab_size = 1;
  // 2/1/2/1 and 1/2/2/1 cost the same.
  EXPECT_EQ(FormatSplit(SplitLayers(CostModel(config, 1, Rates()), 4, {.rows = 0})), "2/2/1/1");
}

TEST(StageSplit, ReadsASplitGivenByHand) {
  const Split split = ParseSplit("17/15", 2, 32).value();
  EXPECT_EQ(split[0].first, 0);
  EXPECT_EQ(split[0].last, 17);
  EXPECT_EQ(split[1].first, 17);
  EXPECT_EQ(split[1].last, 32);
  EXPECT_EQ(FormatSplit(split), "17/15");
}

TEST(StageSplit, RefusesSplitsThatAreNone) {
  const auto message = [](const char* text) {
    const auto split = ParseSplit(text, 2, 32);
    EXPECT_EQ(split.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(split.status().message());
  };
  EXPECT_THAT(message("17/14"), HasSubstr("adds up to 31 layers, the model has 32"));
  EXPECT_THAT(message("32"), HasSubstr("has 1 stages, expected 2"));
  EXPECT_THAT(message("16/8/8"), HasSubstr("more than 2 stages"));
  EXPECT_THAT(message("32/0"), HasSubstr("\"0\" is no number of layers from 1 to 32"));
  EXPECT_THAT(message("17/x"), HasSubstr("\"x\""));
  EXPECT_THAT(message(""), HasSubstr("\"\""));
  EXPECT_THAT(message("17/99999999999"), HasSubstr("99999999999"));
}

}  // namespace
}  // namespace terminus::models::parallel
