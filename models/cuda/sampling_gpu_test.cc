#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <vector>

#include "common/gpu/library.h"
#include "models/cuda/sampling/comparison.h"

// Sampling on the device makes the same choice as sampling on the host from the same row.
namespace terminus::models::cuda {
namespace {

using ::testing::IsEmpty;

struct Shape {
  int32_t vocab;
  int trials;
};

class SamplingTest : public testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    if (const auto device = gpu::FindDevice(0); !device.ok()) {
      GTEST_SKIP() << device.status().message();
    }
    compared_ = std::make_unique<SamplingComparison>(GetParam().vocab, 7);
  }

  void Open(const std::vector<Trial>& trials) {
    for (size_t i = 0; i < trials.size(); ++i) {
      compared_->Open(static_cast<int32_t>(i), trials[i]);
    }
  }

  std::unique_ptr<SamplingComparison> compared_;
};

TEST_P(SamplingTest, AnyTrialIsAsOnTheHost) {
  constexpr size_t kBatch = SamplingComparison::kSlots;
  std::vector<Trial> trials(kBatch);
  for (int done = 0; done < GetParam().trials; done += static_cast<int>(kBatch)) {
    for (Trial& trial : trials) {
      trial = compared_->RandomTrial();
    }
    Open(trials);
    compared_->SampleOnDevice(trials, /*plain=*/false);
    ASSERT_THAT(compared_->Differences(trials), IsEmpty()) << "after " << done;
  }
}

// Each token that is sampled counts for the next.
TEST_P(SamplingTest, PenaltiesCountTheTokensOfEarlierSteps) {
  std::vector<Trial> trials;
  for (int32_t i = 0; i < 64; ++i) {
    Trial trial = compared_->RandomTrial();
    trial.row = i % SamplingComparison::kRows;
    trial.mask = -1;
    trial.parameters.frequency_penalty = 1;
    trial.parameters.repetition_penalty = i % 2 == 0 ? 1.0f : 1.3f;
    trials.push_back(trial);
  }
  Open(trials);
  for (int step = 0; step < 30; ++step) {
    compared_->SampleOnDevice(trials, /*plain=*/false);
    ASSERT_THAT(compared_->Differences(trials), IsEmpty()) << "step " << step;
    const std::vector<int32_t> last = compared_->LastTokens();
    for (size_t i = 0; i < trials.size(); ++i) {
      ASSERT_EQ(last[i], compared_->result(i).token);
      trials[i].tokens.push_back(last[i]);
    }
  }
}

// Few rows are split between many blocks, many are not; rows of no slot are left alone.
TEST_P(SamplingTest, PlainRowsGoTheFastWay) {
  for (const int32_t rows : {1, 3, 24, 200}) {
    std::vector<Trial> trials(static_cast<size_t>(rows));
    for (int32_t i = 0; i < rows; ++i) {
      trials[static_cast<size_t>(i)] = {.row = i % SamplingComparison::kRows,
                                        .parameters = {.temperature = 0}};
    }
    Open(trials);
    // Twice: the first leaves the kernel's own memory as it found it.
    for (int round = 0; round < 2; ++round) {
      compared_->SampleOnDevice(trials, /*plain=*/true, /*padding=*/7);
      EXPECT_THAT(compared_->Differences(trials), IsEmpty()) << rows << " rows";
      compared_->SampleOnDevice(trials, /*plain=*/false, /*padding=*/7);
      EXPECT_THAT(compared_->Differences(trials), IsEmpty()) << rows << " rows";
    }
  }
}

TEST_P(SamplingTest, LogitsThatAreNoNumbersFailTheirRowsAlone) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const int32_t last = GetParam().vocab - 1;
  compared_->logit(0, 0) = std::numeric_limits<float>::quiet_NaN();
  compared_->logit(1, last) = -std::numeric_limits<float>::quiet_NaN();
  compared_->logit(2, last / 2) = kInfinity;
  compared_->logit(3, last / 3) = -kInfinity;
  compared_->UploadLogits();
  for (const bool plain : {false, true}) {
    std::vector<Trial> trials(6);
    for (size_t i = 0; i < trials.size(); ++i) {
      trials[i].row = static_cast<int32_t>(i);
      trials[i].parameters.temperature = plain ? 0 : 1;
    }
    Open(trials);
    compared_->SampleOnDevice(trials, plain);
    EXPECT_THAT(compared_->Differences(trials), IsEmpty());
    for (size_t i = 0; i < trials.size(); ++i) {
      EXPECT_EQ(compared_->result(i).flags == TERMINUS_SAMPLING_NOT_FINITE, i < 4);
    }
  }
}

TEST_P(SamplingTest, RowsWithoutATokenFailAlone) {
  std::vector<Trial> trials(2);
  trials[0].rules.eos_token_ids = {0};
  trials[0].parameters.min_tokens = 1;
  for (int32_t token = 1; token < GetParam().vocab && token < 1500; ++token) {
    trials[0].rules.suppress_tokens.push_back(token);
  }
  Open(trials);
  compared_->SampleOnDevice(trials, /*plain=*/false);
  EXPECT_THAT(compared_->Differences(trials), IsEmpty());
  EXPECT_EQ(compared_->result(0).flags == TERMINUS_SAMPLING_NO_TOKEN, GetParam().vocab <= 1500);
  EXPECT_EQ(compared_->result(1).flags, 0u);
}

// A million trials together: most of them small, for the host's sake.
INSTANTIATE_TEST_SUITE_P(Vocabularies, SamplingTest,
                         testing::Values(Shape{1, 2560}, Shape{33, 25'600}, Shape{1003, 900'000},
                                         Shape{32'000, 40'000}, Shape{49'152, 20'000},
                                         Shape{128'256, 12'800}, Shape{262'144, 2560}),
                         [](const auto& info) { return std::to_string(info.param.vocab); });

}  // namespace
}  // namespace terminus::models::cuda
