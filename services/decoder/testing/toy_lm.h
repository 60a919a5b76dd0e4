#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "models/decoder/causal_lm.h"

namespace terminus::services::decoder::testing {

// A language model for tests. Its "keys and values" are the token ids and positions themselves (for
// soft tokens, their hash and row), and
// a token's logits depend on all tokens before it as they are read back through the block table:
// a block that was mixed up, overwritten or never written changes the answer or is an error.
class ToyLm : public models::decoder::CausalLm {
 public:
  struct Options {
    int vocab_size = 64;
    int max_context = 128;
    int kv_blocks = 64;
    // Ids below the one, and from the other on, are never likely.
    int first_likely = 0;
    int first_special = 64;
    // Likeliest after one in so many contexts; -1: never.
    int32_t eos_token = -1;
    int eos_period = 16;
    // Its logits are NaN where this is the last token; -1: nowhere.
    int32_t poison_token = -1;
    // Throws, as LibTorch does, where this is computed; -1: nowhere.
    int32_t throwing_token = -1;
    // Called at the start of each step, on the device's thread.
    std::function<void(const models::decoder::StepInput&)> on_step;
  };

  explicit ToyLm(Options options);

  absl::StatusOr<models::decoder::Logits> Forward(const models::decoder::StepInput& input) override;
  absl::StatusOr<models::decoder::HiddenStates> ForwardHidden(
      const models::decoder::StepInput& input) override;
  bool first_stage() const override { return true; }
  bool last_stage() const override { return true; }
  int vocab_size() const override { return options_.vocab_size; }
  int hidden_size() const override { return 1; }
  int max_context() const override { return options_.max_context; }
  int kv_blocks() const override { return options_.kv_blocks; }
  models::decoder::ComputeDType dtype() const override {
    return models::decoder::ComputeDType::kFloat32;
  }
  int64_t kv_block_bytes() const override { return 1; }
  bool takes_soft_tokens() const override { return true; }

  // What the model answers greedily, computed without blocks and batches.
  static std::vector<int32_t> Greedy(const Options& options, std::vector<int32_t> prompt,
                                     int tokens,
                                     absl::Span<const models::decoder::SoftSpan> soft = {});

 private:
  struct Cell {
    int64_t token = -1;
    int32_t position = -1;
  };

  absl::StatusOr<std::vector<int64_t>> ReadBack(absl::Span<const int32_t> blocks,
                                                int32_t length) const;

  const Options options_;
  std::vector<Cell> memory_;
  std::vector<float> logits_;
};

}  // namespace terminus::services::decoder::testing
