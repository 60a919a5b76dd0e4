// Ranks of a tensor group, each on a thread of its own, against the whole model.
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/decoder/tensor_ranks_fixture.h"

namespace terminus::models::decoder {
namespace {

using checkpoint::ReadGolden;
using nlohmann::json;

// A sequence's next token is the whole model's. The ranks' is the same, or as good as it.
int32_t ExpectSameToken(const Values& actual, const Values& whole) {
  const int best = Argmax(whole);
  EXPECT_LT(whole[best] - whole[Argmax(actual)], 1e-4);
  return best;
}

class TensorParallelTest : public testing::TestWithParam<std::tuple<const char*, int>> {
 protected:
  TensorParallelTest() : golden_(ReadGolden(std::get<0>(GetParam()))) {
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden_, folder_.path()).ok());
    for (const json& prompt : golden_["prompts"]) {
      sequences_.push_back({.tokens = prompt.get<Ids>()});
    }
  }

  int size() const { return std::get<1>(GetParam()); }

  std::unique_ptr<CausalLm> Whole(LayerRange layers = {}) {
    auto lm = LoadCausalLm(folder_.path(), at::kCPU, Options(layers));
    EXPECT_TRUE(lm.ok()) << lm.status();
    return *std::move(lm);
  }

  // Sequences with tokens that no step has had.
  std::vector<Sequence*> Pending() {
    std::vector<Sequence*> pending;
    for (Sequence& sequence : sequences_) {
      if (sequence.pending() > 0) {
        pending.push_back(&sequence);
      }
    }
    return pending;
  }

  json golden_;
  base::TempFolder folder_;
  std::vector<Sequence> sequences_;
};

// Chunks of long prompts beside the decoded tokens of short ones.
TEST_P(TensorParallelTest, RanksTogetherAreTheModel) {
  const auto whole = Whole();
  Ranks ranks(folder_.path(), size());
  EXPECT_EQ(ranks.rank(0).vocab_size(), whole->vocab_size());
  Blocks blocks(7);
  for (int step = 0; step < 12 || sequences_[0].pending() > 1; ++step) {
    const auto pending = Pending();
    const Batch batch(pending, &blocks, /*limit=*/24);
    const auto expected = Compute(*whole, batch.input());
    ASSERT_TRUE(expected.ok()) << expected.status();
    const Values actual = ranks.Run(batch.input());
    ASSERT_EQ(actual.size(), expected->size());
    const int vocab = whole->vocab_size();
    for (size_t i = 0; i < pending.size(); ++i) {
      const auto row = [&](const Values& rows) {
        return Values(rows.begin() + i * vocab, rows.begin() + (i + 1) * vocab);
      };
      ExpectClose(row(actual), row(*expected));
      if (pending[i]->pending() == 0 && step < 32) {
        pending[i]->tokens.push_back(ExpectSameToken(row(actual), row(*expected)));
      }
    }
  }
}

TEST_P(TensorParallelTest, StagesHandOnWholeHiddenStates) {
  const auto whole = Whole();
  const auto whole_first = Whole({0, 1});
  Ranks first(folder_.path(), size(), Options({0, 1}));
  Ranks second(folder_.path(), size(), Options({1, -1}));
  Blocks blocks(5);
  for (int step = 0; step < 3; ++step) {
    const Batch batch(Pending(), &blocks);
    const Values hidden = first.Run(batch.input());
    ExpectClose(hidden, *Compute(*whole_first, batch.input()));
    StepInput input = batch.input();
    input.hidden_states = hidden;
    const Values actual = second.Run(input);
    const Values expected = *Compute(*whole, batch.input());
    ExpectClose(actual, expected);
    for (Sequence& sequence : sequences_) {
      sequence.tokens.push_back(step);
    }
  }
}

TEST_P(TensorParallelTest, SoftTokensCountOnce) {
  const auto whole = Whole();
  Ranks ranks(folder_.path(), size());
  auto soft = std::make_shared<SoftTokens>();
  soft->rows = 3;
  soft->values = checkpoint::FakeTensor("soft", {3, whole->hidden_size()});
  Blocks blocks(1);
  const Batch batch({&sequences_.back()}, &blocks);
  const SoftSpan span{.first_token = 2, .first_row = 1, .rows = 2, .tokens = soft};
  StepInput input = batch.input();
  const Values without = *Compute(*whole, input);
  input.soft = absl::MakeConstSpan(&span, 1);
  const Values expected = *Compute(*whole, input);
  ASSERT_GT(MaxDifference(expected, without), 1e-3);
  ExpectClose(ranks.Run(input), expected);
}

std::string NameOf(const testing::TestParamInfo<std::tuple<const char*, int>>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::to_string(std::get<1>(info.param));
}

// Among them: heads of keys that ranks share, biases of every map, norms of heads, windows, layers
// that do not turn by positions, tied and untied tables.
INSTANTIATE_TEST_SUITE_P(
    Models, TensorParallelTest,
    testing::Combine(testing::Values("llama_tied", "llama3_scaled", "llama_yarn", "mistral",
                                     "qwen2", "qwen2_window", "qwen3_window", "smollm3"),
                     testing::Values(1, 2, 4)),
    NameOf);

}  // namespace
}  // namespace terminus::models::decoder
