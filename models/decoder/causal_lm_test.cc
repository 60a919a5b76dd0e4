#include "models/decoder/causal_lm.h"

#include <nlohmann/json.hpp>
#include <tuple>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/decoder/causal_lm_fixture.h"
#include "models/decoder/load.h"

namespace terminus::models::decoder {
namespace {

using base::TempFolder;
using checkpoint::ReadGolden;
using checkpoint::WriteTestFile;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class GoldenTest : public testing::TestWithParam<std::tuple<Kind, const char*>> {
 protected:
  GoldenTest() : golden_(ReadGolden(std::get<1>(GetParam()))) {
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden_, folder_.path()).ok());
    lm_ = Make(kind(), folder_.path());
    for (const json& prompt : golden_["prompts"]) {
      prompts_.push_back(prompt.get<Ids>());
    }
  }

  Kind kind() const { return std::get<0>(GetParam()); }

  std::vector<std::vector<float>> Step(const Batch& batch, absl::Span<const SoftSpan> soft = {}) {
    const c10::InferenceMode inference;
    StepInput input = batch.input();
    input.soft = soft;
    const auto logits = lm_->Forward(input);
    EXPECT_TRUE(logits.ok()) << logits.status();
    return logits.ok() ? Rows(*logits) : std::vector<std::vector<float>>();
  }

  std::vector<std::vector<float>> Alone(const Ids& prompt, uint32_t seed = 0) {
    Blocks blocks(seed);
    Sequence sequence{.tokens = prompt};
    return Step(Batch({&sequence}, &blocks));
  }

  json golden_;
  base::TempFolder folder_;
  std::unique_ptr<CausalLm> lm_;
  std::vector<Ids> prompts_;
};

TEST_P(GoldenTest, PromptsEqualTransformersAloneAndTogether) {
  Blocks blocks(7);
  std::vector<Sequence> sequences;
  std::vector<Sequence*> all;
  for (const Ids& prompt : prompts_) {
    sequences.push_back({.tokens = prompt});
  }
  for (Sequence& sequence : sequences) {
    all.push_back(&sequence);
  }
  const auto together = Step(Batch(all, &blocks));
  ASSERT_EQ(together.size(), prompts_.size());
  for (size_t i = 0; i < prompts_.size(); ++i) {
    const auto expected = golden_["logits"][i].get<std::vector<float>>();
    EXPECT_LT(MaxDifference(together[i], expected), 1e-4) << "prompt " << i;
    EXPECT_LT(MaxDifference(together[i], Alone(prompts_[i])[0]), 1e-5) << "prompt " << i;
  }
}

// Sequences of different lengths decoded together, each with its blocks all over the cache.
TEST_P(GoldenTest, DecodingTogetherEqualsTransformers) {
  Blocks blocks(3);
  std::vector<Sequence> sequences;
  for (const Ids& prompt : prompts_) {
    sequences.push_back({.tokens = prompt});
  }
  std::vector<Sequence*> all;
  for (Sequence& sequence : sequences) {
    all.push_back(&sequence);
  }
  const auto continuations = golden_["continuations"].get<std::vector<Ids>>();
  for (size_t step = 0; step < continuations[0].size(); ++step) {
    const auto rows = Step(Batch(all, &blocks));
    ASSERT_EQ(rows.size(), all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(Argmax(rows[i]), continuations[i][step]) << "prompt " << i << ", token " << step;
      all[i]->tokens.push_back(Argmax(rows[i]));
    }
  }
}

TEST_P(GoldenTest, ChunksEqualWhole) {
  const Ids& prompt = prompts_.back();
  const auto whole = Alone(prompt)[0];
  for (const int chunk : {1, 7, 16, 33}) {
    Blocks blocks(chunk);
    Sequence sequence{.tokens = prompt};
    // A decode beside the chunks, as in a running server.
    Sequence other{.tokens = prompts_[3]};
    Step(Batch({&other}, &blocks));
    std::vector<std::vector<float>> rows;
    while (sequence.pending() > 0) {
      other.tokens.push_back(1);
      rows = Step(Batch({&other, &sequence}, &blocks, chunk));
    }
    EXPECT_LT(MaxDifference(rows[1], whole), 1e-5) << "chunks of " << chunk;
  }
}

TEST_P(GoldenTest, BlockTablesDoNotMatter) {
  const Ids& prompt = prompts_.back();
  const auto contiguous = Alone(prompt, 0)[0];
  for (uint32_t seed = 1; seed < 4; ++seed) {
    EXPECT_EQ(MaxDifference(Alone(prompt, seed)[0], contiguous), 0) << "seed " << seed;
  }
}

// Two stages, with what one hands to the other.
TEST_P(GoldenTest, StagesEqualTheWhole) {
  const c10::InferenceMode inference;
  const auto first = Make(kind(), folder_.path(), {0, 1});
  const auto second = Make(kind(), folder_.path(), {1, -1});
  EXPECT_TRUE(first->first_stage() && !first->last_stage());
  EXPECT_TRUE(!second->first_stage() && second->last_stage());
  Blocks blocks(5);
  Sequence sequence{.tokens = prompts_.back()};
  for (const int token : {-1, 4, 9}) {
    if (token >= 0) {
      sequence.tokens.push_back(token);
    }
    const Batch batch({&sequence}, &blocks);
    const auto hidden = first->ForwardHidden(batch.input());
    ASSERT_TRUE(hidden.ok()) << hidden.status();
    StepInput input = batch.input();
    input.hidden_states = hidden->values;
    const auto logits = second->Forward(input);
    ASSERT_TRUE(logits.ok()) << logits.status();
    EXPECT_LT(MaxDifference(Rows(*logits)[0], Alone(sequence.tokens)[0]), 1e-5);
  }
}

// Rows of the embedding table as soft tokens, in whichever step they come, are the tokens
// themselves.
TEST_P(GoldenTest, SoftTokensStandInForEmbeddings) {
  ASSERT_TRUE(lm_->takes_soft_tokens());
  auto weights = checkpoint::Weights::Open(folder_.path(), at::kCPU, kLlamaNames);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const int64_t hidden = lm_->hidden_size();
  const at::Tensor table =
      weights->Get("embed_tokens.weight", {lm_->vocab_size(), hidden}).contiguous();
  const Ids& prompt = prompts_.back();
  constexpr int kFirst = 3;
  constexpr int kRows = 9;
  ASSERT_GT(static_cast<int>(prompt.size()), kFirst + kRows);
  auto soft = std::make_shared<SoftTokens>();
  soft->rows = kRows;
  for (int i = 0; i < kRows; ++i) {
    const float* row = table.const_data_ptr<float>() + prompt[kFirst + i] * hidden;
    soft->values.insert(soft->values.end(), row, row + hidden);
  }
  // In their place the prompt has another token.
  Ids hollow = prompt;
  std::fill_n(hollow.begin() + kFirst, kRows, 0);
  const auto logits = [&](int chunk) {
    Blocks blocks(11);
    Sequence other{.tokens = prompts_[0]};
    Sequence sequence{.tokens = hollow};
    std::vector<std::vector<float>> rows;
    while (sequence.pending() > 0) {
      const int begin = sequence.cached;
      if (other.pending() == 0) other.tokens.push_back(1);
      const int before = std::min(chunk, other.pending());
      const Batch batch({&other, &sequence}, &blocks, chunk);
      const int first = std::max(begin, kFirst);
      const int end = std::min(sequence.cached, kFirst + kRows);
      const SoftSpan span{.first_token = before + first - begin,
                          .first_row = first - kFirst,
                          .rows = end - first,
                          .tokens = soft};
      rows =
          Step(batch, first < end ? absl::MakeConstSpan(&span, 1) : absl::Span<const SoftSpan>());
    }
    return rows[1];
  };
  for (const int chunk : {1000, 5}) {
    EXPECT_LT(MaxDifference(logits(chunk), Alone(prompt)[0]), 1e-5) << chunk;
  }
  soft->values[hidden] += 1;
  EXPECT_GT(MaxDifference(logits(1000), Alone(prompt)[0]), 1e-3);
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Kind, const char*>>& info) {
  const char* kinds[] = {"Cpu", "CpuGeneric", "Aten"};
  return std::string(std::get<1>(info.param)) + "_" +
         kinds[static_cast<int>(std::get<0>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(
    Models, GoldenTest,
    testing::Combine(testing::Values(Kind::kCpu, Kind::kCpuGeneric, Kind::kAten),
                     testing::Values("llama_tied", "llama3_scaled", "llama_linear", "llama_dynamic",
                                     "llama_yarn", "llama_longrope", "mistral", "mistral_window",
                                     "qwen2", "qwen2_window", "qwen3_window", "qwen3_biased",
                                     "smollm2", "smollm3", "smollm3_window")),
    NameOf);

class CausalLmTest : public testing::Test {
 protected:
  CausalLmTest() : golden_(ReadGolden("llama_tied")) {
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden_, folder_.path()).ok());
  }

  absl::StatusOr<std::unique_ptr<CausalLm>> Load(const LmOptions& options) {
    return LoadCausalLm(folder_.path(), at::kCPU, options);
  }

  json golden_;
  base::TempFolder folder_;
};

// Weights rounded to bfloat16 are the only difference.
TEST_F(CausalLmTest, BFloat16WeightsAreClose) {
  const auto wide = Make(Kind::kCpu, folder_.path());
  const auto narrow = Make(Kind::kCpu, folder_.path(), {}, ComputeDType::kBFloat16);
  Blocks blocks(1);
  Sequence a{.tokens = golden_["prompts"].back().get<Ids>()};
  const Batch batch({&a}, &blocks);
  const auto exact = wide->Forward(batch.input());
  const auto rounded = narrow->Forward(batch.input());
  ASSERT_TRUE(exact.ok() && rounded.ok());
  const double difference = MaxDifference(Rows(*exact)[0], Rows(*rounded)[0]);
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0.1);
}

TEST_F(CausalLmTest, RefusesStepsOutsideOfItsLimits) {
  auto lm = Load({.threads = 1, .kv_blocks = 4});
  ASSERT_TRUE(lm.ok()) << lm.status();
  EXPECT_EQ((*lm)->kv_blocks(), 4);
  EXPECT_EQ((*lm)->vocab_size(), 97);
  EXPECT_EQ((*lm)->max_context(), 256);
  const Ids zero = {0}, one = {1}, pages = {0, 1}, table = {0};
  const StepInput good{.token_ids = one,
                       .positions = zero,
                       .query_indptr = pages,
                       .kv = {.indptr = pages, .indices = table, .last_page_len = one},
                       .logits_tokens = zero};
  ASSERT_TRUE((*lm)->Forward(good).ok()) << (*lm)->Forward(good).status();
  const auto refusal = [&](auto change) {
    StepInput step = good;
    change(step);
    const auto logits = (*lm)->Forward(step);
    EXPECT_EQ(logits.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(logits.status().message());
  };
  const Ids large = {97}, negative = {-1}, four = {4}, seventeen = {17}, empty = {0, 0}, two = {2};
  const Ids ends_late = {0, 2};
  EXPECT_THAT(refusal([&](StepInput& s) { s.token_ids = large; }),
              AllOf(HasSubstr("97"), HasSubstr("vocabulary")));
  EXPECT_THAT(refusal([&](StepInput& s) { s.token_ids = negative; }), HasSubstr("-1"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.token_ids = {}; }), HasSubstr("positions"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.positions = one; }), HasSubstr("position 1"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.query_indptr = empty; }), HasSubstr("empty"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.query_indptr = ends_late; }), HasSubstr("ends with 2"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.query_indptr = {}; }), HasSubstr("begin with 0"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.kv.indices = four; }), HasSubstr("KV block 4"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.kv.indptr = ends_late; }), HasSubstr("kv.indptr"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.kv.last_page_len = seventeen; }), HasSubstr("17"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.kv.last_page_len = {}; }), HasSubstr("last_page_len"));
  EXPECT_THAT(refusal([&](StepInput& s) { s.logits_tokens = two; }), HasSubstr("token 2 of 1"));
  const std::vector<float> hidden(64);
  EXPECT_THAT(refusal([&](StepInput& s) { s.hidden_states = hidden; }), HasSubstr("hidden_states"));
  const auto soft_refusal = [&](int32_t first, int32_t row, int32_t rows, size_t values) {
    auto tokens = std::make_shared<SoftTokens>();
    *tokens = {.rows = 2, .values = std::vector<float>(values)};
    const SoftSpan span{.first_token = first, .first_row = row, .rows = rows, .tokens = tokens};
    return refusal([&](StepInput& s) { s.soft = absl::MakeConstSpan(&span, 1); });
  };
  EXPECT_THAT(soft_refusal(1, 0, 1, 128), HasSubstr("soft tokens at 1"));
  EXPECT_THAT(soft_refusal(0, 0, 2, 128), HasSubstr("the step has 1 tokens"));
  EXPECT_THAT(soft_refusal(0, 0, 0, 128), HasSubstr("soft tokens at 0, 0 of them"));
  EXPECT_THAT(soft_refusal(0, 2, 1, 128), HasSubstr("soft rows 2 to 3, there are 2"));
  EXPECT_THAT(soft_refusal(0, 0, 1, 127), HasSubstr("127 values, expected 2 rows of 64"));
  // No tokens are no fault.
  StepInput nothing;
  nothing.query_indptr = nothing.kv.indptr = zero;
  const auto logits = (*lm)->Forward(nothing);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_EQ(logits->rows, 0);
}

TEST_F(CausalLmTest, LoadingSaysWhatIsWrong) {
  const auto message = [&](const LmOptions& options) {
    const auto lm = Load(options);
    EXPECT_EQ(lm.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(lm.status().message());
  };
  EXPECT_THAT(message({.layers = {2, 5}}), HasSubstr("layers 2 to 5, the model has 3"));
  EXPECT_THAT(message({.layers = {3, -1}}), HasSubstr("layers 3 to 3"));
  EXPECT_THAT(message({.kv_blocks = -1}), HasSubstr("-1 KV blocks"));
  golden_["config"]["intermediate_size"] = 80;
  WriteTestFile(folder_.path() + "/config.json", golden_["config"].dump());
  EXPECT_THAT(message({.kv_blocks = 1}),
              AllOf(HasSubstr("mlp.gate_proj.weight"), HasSubstr("[88, 64]"), HasSubstr("[80, 64]"),
                    HasSubstr("layers.2.mlp.down_proj.weight")));
}

TEST_F(CausalLmTest, KvBytesBecomeBlocks) {
  // 3 layers, keys and values, 16 tokens, 2 heads of 16, 4 bytes.
  constexpr int64_t kBlockBytes = 3 * 2 * 16 * 2 * 16 * 4;
  auto lm = Load({.threads = 1, .kv_bytes = 10 * kBlockBytes + 1});
  ASSERT_TRUE(lm.ok()) << lm.status();
  EXPECT_EQ((*lm)->kv_block_bytes(), kBlockBytes);
  EXPECT_EQ((*lm)->kv_blocks(), 10);
  EXPECT_EQ(Load({.threads = 1, .kv_bytes = 1}).value()->kv_blocks(), 1);
}

TEST_F(CausalLmTest, SaysWhatItsWeightsAreHeldIn) {
  const auto held = [this](ComputeDType asked) {
    return Load({.threads = 1, .kv_blocks = 1, .dtype = asked}).value()->dtype();
  };
  EXPECT_EQ(held(ComputeDType::kFloat32), ComputeDType::kFloat32);
  EXPECT_EQ(held(ComputeDType::kBFloat16), ComputeDType::kBFloat16);
  EXPECT_EQ(held(ComputeDType::kAuto), ComputeDType::kFloat32) << "as the checkpoint is";
}

}  // namespace
}  // namespace terminus::models::decoder
