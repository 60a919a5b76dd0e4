#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/collective/factory.h"
#include "gtest/gtest.h"
#include "models/decoder/causal_lm_fixture.h"
#include "models/decoder/collective_group.h"
#include "models/decoder/load.h"

// The ranks of a tensor group in one process, for tests.
namespace terminus::models::decoder {

using Values = std::vector<float>;

inline LmOptions Options(LayerRange layers = {}, ComputeDType dtype = ComputeDType::kFloat32) {
  LmOptions options;
  options.threads = 2;
  options.kv_blocks = kBlocks;
  options.dtype = dtype;
  options.layers = layers;
  return options;
}

// Returns the logits of a last stage, or the hidden states of any other.
inline absl::StatusOr<Values> Compute(CausalLm& lm, const StepInput& input) {
  if (lm.last_stage()) {
    const auto logits = lm.Forward(input);
    return logits.ok()
               ? absl::StatusOr<Values>(Values(logits->values.begin(), logits->values.end()))
               : logits.status();
  }
  const auto hidden = lm.ForwardHidden(input);
  return hidden.ok() ? absl::StatusOr<Values>(Values(hidden->values.begin(), hidden->values.end()))
                     : hidden.status();
}

// All ranks of a model, or of one stage of it, in this process.
class Ranks {
 public:
  Ranks(const std::string& folder, int size, LmOptions options = Options(),
        absl::Duration patience = absl::Seconds(60)) {
    auto world = collective::CreateLoopback(size);
    EXPECT_TRUE(world.ok()) << world.status();
    for (int rank = 0; rank < size; ++rank) {
      communicators_.push_back(std::move((*world)[rank]));
      options.tensor = {.rank = rank, .size = size};
      options.tensor_group = std::make_shared<CollectiveGroup>(communicators_.back(),
                                                               CollectiveGroup::Options{patience});
      auto lm = LoadCausalLm(folder, at::kCPU, options);
      EXPECT_TRUE(lm.ok()) << lm.status();
      models_.push_back(*std::move(lm));
    }
  }

  CausalLm& rank(int rank) { return *models_[rank]; }
  collective::Communicator& communicator(int rank) { return *communicators_[rank]; }

  // Returns what every rank computes: the same bits.
  Values Run(const StepInput& input) {
    std::vector<absl::StatusOr<Values>> results(models_.size());
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < models_.size(); ++rank) {
      threads.emplace_back([&, rank] { results[rank] = Compute(*models_[rank], input); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const auto& result : results) {
      EXPECT_TRUE(result.ok()) << result.status();
      EXPECT_TRUE(*result == *results[0]) << "ranks differ";
    }
    return *results[0];
  }

 private:
  std::vector<std::shared_ptr<collective::Communicator>> communicators_;
  std::vector<std::unique_ptr<CausalLm>> models_;
};

inline double Largest(const Values& values) {
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::abs(value));
  }
  return largest;
}

inline void ExpectClose(const Values& actual, const Values& whole) {
  EXPECT_LT(MaxDifference(actual, whole), 1e-5 * Largest(whole));
}

}  // namespace terminus::models::decoder
