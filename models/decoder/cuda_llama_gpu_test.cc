#include <algorithm>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/cuda/library.h"
#include "models/decoder/cuda_llama.h"
#include "models/decoder/load.h"
#include "models/decoder/runner.h"
#include "models/decoder/step_batch.h"
#include "models/decoder/teacher_model.h"

namespace terminus::models::decoder {
namespace {

constexpr int kBlocks = 300;

std::unique_ptr<CausalLm> Load(const std::string& folder, ComputeDType dtype) {
  auto lm = LoadCausalLm(folder, at::Device(at::kCUDA, 0),
                         {.kv_blocks = kBlocks,
                          .max_sequences = 64,
                          .max_tokens = 1024,
                          .dtype = dtype,
                          .poison = true});
  EXPECT_TRUE(lm.ok()) << lm.status();
  return lm.ok() ? *std::move(lm) : nullptr;
}

class CudaLlamaGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto gpu = cuda::FindDevice(0); !gpu.ok()) {
      GTEST_SKIP() << gpu.status();
    }
    Ids free(kBlocks);
    std::iota(free.begin(), free.end(), 0);
    std::shuffle(free.begin(), free.end(), random_);
    for (const int length : {1, 2, 16, 17, 40, 90, 129, 300, 600}) {
      Sequence sequence;
      for (int i = 0; i < length + kDecoded; ++i) {
        sequence.tokens.push_back(static_cast<int32_t>(random_() % kTeacherVocabulary));
      }
      while (sequence.blocks.size() * kKvBlockTokens < sequence.tokens.size()) {
        sequence.blocks.push_back(free.back());
        free.pop_back();
      }
      sequences_.push_back(sequence);
    }
  }

  // Logits of each sequence's tokens from its prompt's last one on, by the reference in float32.
  std::vector<std::vector<float>> Reference(const std::string& folder) {
    const auto lm = Load(folder, ComputeDType::kFloat32);
    std::vector<std::vector<float>> all;
    for (const Sequence& sequence : sequences_) {
      std::vector<float> logits;
      Sequence copy = sequence;
      const int prompt = static_cast<int>(sequence.tokens.size()) - kDecoded;
      for (int end = prompt; end <= prompt + kDecoded; ++end) {
        Batch batch;
        batch.Add(copy, end - copy.computed);
        const auto result = lm->Forward(batch.AsStep());
        EXPECT_TRUE(result.ok()) << result.status();
        logits.insert(logits.end(), result->values.begin(), result->values.end());
        copy.computed = end;
      }
      all.push_back(std::move(logits));
    }
    return all;
  }

  // Each prompt in two chunks, then all sequences together token by token.
  void ExpectEqual(const std::string& name) {
    const TeacherModel model(name);
    const std::vector<std::vector<float>> reference = Reference(model.folder());
    const auto lm = Load(model.folder(), ComputeDType::kAuto);
    ASSERT_NE(dynamic_cast<CudaLlama*>(lm.get()), nullptr);
    const auto expect_near = [&](const Logits& logits, size_t row, size_t sequence, size_t step) {
      const size_t width = kTeacherVocabulary;
      EXPECT_LT(Difference(logits.values.subspan(row * width, width),
                           absl::MakeConstSpan(reference[sequence]).subspan(step * width, width)),
                model.tolerance())
          << name << ", sequence " << sequence << ", step " << step;
    };
    for (size_t i = 0; i < sequences_.size(); ++i) {
      Sequence& sequence = sequences_[i];
      const int prompt = static_cast<int>(sequence.tokens.size()) - kDecoded;
      for (const int end : {prompt / 2, prompt}) {
        if (end == sequence.computed) {
          continue;
        }
        Batch batch;
        batch.Add(sequence, end - sequence.computed);
        const auto logits = lm->Forward(batch.AsStep());
        ASSERT_TRUE(logits.ok()) << logits.status();
        sequence.computed = end;
        if (end == prompt) {
          expect_near(*logits, 0, i, 0);
        }
      }
    }
    for (size_t step = 1; step <= kDecoded; ++step) {
      Batch batch;
      for (const Sequence& sequence : sequences_) {
        batch.Add(sequence, 1);
      }
      const auto logits = lm->Forward(batch.AsStep());
      ASSERT_TRUE(logits.ok()) << logits.status();
      for (size_t i = 0; i < sequences_.size(); ++i) {
        expect_near(*logits, i, i, step);
        ++sequences_[i].computed;
      }
    }
  }

  static constexpr int kDecoded = 6;

  std::mt19937 random_{7};
  std::vector<Sequence> sequences_;
};

TEST_F(CudaLlamaGpu, HeadsOf64) { ExpectEqual("heads_of_64"); }
TEST_F(CudaLlamaGpu, HeadsOf128) { ExpectEqual("heads_of_128"); }
TEST_F(CudaLlamaGpu, OneKvHead) { ExpectEqual("one_kv_head"); }
TEST_F(CudaLlamaGpu, ManyQueryHeads) { ExpectEqual("many_query_heads"); }
TEST_F(CudaLlamaGpu, ThreeHeads) { ExpectEqual("three_heads"); }
TEST_F(CudaLlamaGpu, EqualHeads) { ExpectEqual("equal_heads"); }
TEST_F(CudaLlamaGpu, NormalisedHeads) { ExpectEqual("normalised_heads"); }
TEST_F(CudaLlamaGpu, Biases) { ExpectEqual("biases"); }
TEST_F(CudaLlamaGpu, Windows) { ExpectEqual("windows"); }
TEST_F(CudaLlamaGpu, WindowsOfSomeLayers) { ExpectEqual("windows_of_some_layers"); }

// Two steps in flight, with the second's tokens from the sampler, give what waiting for each gives.
TEST_F(CudaLlamaGpu, RunsAhead) {
  const TeacherModel model("heads_of_64");
  constexpr int kTokens = 12;
  Sequence& sequence = sequences_[5];
  sequence.tokens.resize(40);
  Ids waited;
  {
    const auto lm = Load(model.folder(), ComputeDType::kAuto);
    Sequence copy = sequence;
    for (int i = 0; i < kTokens; ++i) {
      Batch batch;
      const int count = static_cast<int>(copy.tokens.size()) - copy.computed;
      batch.Add(copy, count);
      const auto logits = lm->Forward(batch.AsStep());
      ASSERT_TRUE(logits.ok()) << logits.status();
      copy.computed += count;
      copy.tokens.push_back(static_cast<int32_t>(
          std::max_element(logits->values.begin(), logits->values.end()) - logits->values.begin()));
      waited.push_back(copy.tokens.back());
    }
  }
  const auto runner = MakeRunner(Load(model.folder(), ComputeDType::kAuto), {}, {});
  ASSERT_EQ(runner->info().steps_in_flight, 2);
  ASSERT_TRUE(runner
                  ->OpenSlot(0, {.sampling = {.temperature = 0},
                                 .prompt_length = 40,
                                 .max_length = 100,
                                 .tokens = sequence.tokens})
                  .ok());
  Ids ahead;
  const auto collect = [&] {
    const auto output = runner->Collect();
    ASSERT_TRUE(output.ok()) << output.status();
    ASSERT_EQ(output->rows.size(), 1u);
    ASSERT_TRUE(output->rows[0].sampled.ok()) << output->rows[0].sampled.status();
    ahead.push_back(output->rows[0].sampled->chosen.token);
  };
  for (int i = 0; i < kTokens; ++i) {
    Batch batch;
    batch.Add(sequence, i == 0 ? 40 : 1, /*from_sampler=*/i > 0);
    ASSERT_TRUE(runner->Forward(batch.AsForward()).ok());
    sequence.computed += i == 0 ? 40 : 1;
    const SampleRow row = {.row = 0, .length = 40 + i};
    ASSERT_TRUE(runner->Sample({&row, 1}).ok());
    ASSERT_TRUE(runner->EndStep().ok());
    if (i > 0) {
      collect();
    }
  }
  collect();
  EXPECT_EQ(ahead, waited);
}

// Rules that the device does not know are applied on the host, to the same end.
TEST_F(CudaLlamaGpu, RulesOnTheHost) {
  const TeacherModel model("heads_of_64");
  sampling::LogitRules rules;
  rules.no_repeat_ngram_size = 1;
  const auto runner = MakeRunner(Load(model.folder(), ComputeDType::kAuto), rules, {});
  Sequence& sequence = sequences_[4];
  sequence.tokens.resize(8);
  ASSERT_TRUE(runner
                  ->OpenSlot(0, {.sampling = {.temperature = 0},
                                 .prompt_length = 8,
                                 .max_length = 100,
                                 .tokens = sequence.tokens})
                  .ok());
  Ids seen = sequence.tokens;
  for (int i = 0; i < 20; ++i) {
    Batch batch;
    batch.Add(sequence, i == 0 ? 8 : 1, /*from_sampler=*/i > 0);
    ASSERT_TRUE(runner->Forward(batch.AsForward()).ok());
    sequence.computed += i == 0 ? 8 : 1;
    const SampleRow row = {.row = 0, .length = 8 + i};
    ASSERT_TRUE(runner->Sample({&row, 1}).ok());
    ASSERT_TRUE(runner->EndStep().ok());
    const auto output = runner->Collect();
    ASSERT_TRUE(output.ok() && output->rows[0].sampled.ok());
    const int32_t token = output->rows[0].sampled->chosen.token;
    EXPECT_THAT(seen, testing::Not(testing::Contains(token)));
    seen.push_back(token);
  }
}

}  // namespace
}  // namespace terminus::models::decoder
