// Generations with soft tokens, by a real model on the CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "common/base/temp_folder.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/load.h"
#include "models/decoder/runner.h"
#include "services/decoder/pipeline/engine_fixture.h"
#include "services/decoder/pipeline/lm_stage.h"

namespace terminus::services::decoder::pipeline {
namespace {

using models::decoder::SoftSpan;
using models::decoder::SoftTokens;

constexpr int kHidden = 64;
constexpr int kVocabulary = 97;
constexpr int kAnswer = 56;
// The soft tokens of a prompt of 40.
constexpr int kFirst = 7;
constexpr int kRows = 20;

class SoftGenerationTest : public EngineTest {
 protected:
  SoftGenerationTest() {
    const auto golden = models::checkpoint::ReadGolden("llama_tied");
    EXPECT_TRUE(models::checkpoint::WriteGoldenFolder(golden, folder_.path()).ok());
  }

  void StartModel(int kv_blocks, const scheduler::StepLimits& limits) {
    auto lm = models::decoder::LoadCausalLm(folder_.path(), at::kCPU,
                                            {.threads = 1, .kv_blocks = kv_blocks});
    ASSERT_TRUE(lm.ok()) << lm.status();
    StartWith(
        LmStage::Factory(
            models::decoder::MakeRunner(*std::move(lm), {}, {.slots = 32, .max_tokens = 256}), {}),
        limits);
  }

  // The embeddings of tokens. Those of other tokens have another hash.
  std::shared_ptr<SoftTokens> EmbeddingsOf(absl::Span<const int32_t> ids) {
    auto weights =
        models::checkpoint::Weights::Open(folder_.path(), at::kCPU, models::decoder::kLlamaNames);
    EXPECT_TRUE(weights.ok()) << weights.status();
    const at::Tensor table = weights->Get("embed_tokens.weight", {kVocabulary, kHidden});
    auto soft = std::make_shared<SoftTokens>();
    soft->rows = static_cast<int32_t>(ids.size());
    for (const int32_t id : ids) {
      const float* row = table.const_data_ptr<float>() + int64_t{id} * kHidden;
      soft->values.insert(soft->values.end(), row, row + kHidden);
      soft->content_hash = soft->content_hash * 31 + static_cast<uint64_t>(id) + 1;
    }
    return soft;
  }

  static std::vector<int32_t> PromptOf(int i) {
    std::mt19937 random(static_cast<uint32_t>(i));
    std::vector<int32_t> prompt(40);
    for (int32_t& token : prompt) token = static_cast<int32_t>(random() % kVocabulary);
    return prompt;
  }

  // The prompt with its middle as soft tokens. Their ids are those of another token.
  std::shared_ptr<Collector> AskSoft(int i, bool full = false) {
    std::vector<int32_t> prompt = PromptOf(i);
    const auto soft = EmbeddingsOf(absl::MakeConstSpan(prompt).subspan(kFirst, kRows));
    std::fill_n(prompt.begin() + kFirst, kRows, 0);
    auto sink = std::make_shared<Collector>();
    sink->SetFull(full);
    Generation generation = Ask(sink, std::move(prompt), kAnswer);
    generation.soft = {{.first_token = kFirst, .first_row = 0, .rows = kRows, .tokens = soft}};
    engine_->Submit(std::move(generation));
    return sink;
  }

  std::shared_ptr<Collector> AskPlain(std::vector<int32_t> prompt) {
    auto sink = std::make_shared<Collector>();
    engine_->Submit(Ask(sink, std::move(prompt), kAnswer));
    return sink;
  }

  const base::TempFolder folder_;
};

TEST_F(SoftGenerationTest, AnswersAreThoseOfTheTokensThatTheyStandFor) {
  constexpr int kAsked = 5;
  StartModel(64, {.max_sequences = 8, .token_budget = 128});
  std::vector<std::vector<int32_t>> expected;
  for (int i = 0; i < kAsked; ++i) {
    const auto plain = AskPlain(PromptOf(i));
    ASSERT_TRUE(plain->Wait().ok()) << plain->Wait();
    expected.push_back(plain->tokens());
    const auto soft = AskSoft(i);
    ASSERT_TRUE(soft->Wait().ok()) << soft->Wait();
    EXPECT_EQ(soft->tokens(), expected.back()) << i;
  }
  // Without them the answer is another one.
  std::vector<int32_t> hollow = PromptOf(0);
  std::fill_n(hollow.begin() + kFirst, kRows, 0);
  const auto other = AskPlain(hollow);
  ASSERT_TRUE(other->Wait().ok()) << other->Wait();
  EXPECT_NE(other->tokens(), expected[0]);

  // Together on few blocks, in chunks smaller than the soft tokens: some are preempted in their
  // middle, and computed again.
  StartModel(11, {.max_sequences = 6, .token_budget = 16});
  std::vector<std::shared_ptr<Collector>> together;
  // All are there before one begins, so that blocks are short for certain.
  for (int i = 0; i < kAsked; ++i) together.push_back(AskSoft(i, /*full=*/true));
  for (const auto& sink : together) sink->SetFull(false);
  engine_->Wake();
  for (int i = 0; i < kAsked; ++i) {
    const size_t index = static_cast<size_t>(i);
    ASSERT_TRUE(together[index]->Wait().ok()) << together[index]->Wait();
    EXPECT_EQ(together[index]->tokens(), expected[index]) << i;
  }
  EXPECT_GT(Value("terminus_decoder_preemptions_total"), 0);
  ExpectNoBlockUsed();
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
