#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/cpu_llama_weights.h"
#include "models/decoder/kv_pages.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"
#include "models/decoder/team_exchange.h"
#include "models/decoder/tensor_slice.h"
#include "models/kernels/isa.h"
#include "models/kernels/paged/paged_attention.h"
#include "models/kernels/team/thread_team.h"

namespace terminus::models::decoder {

// The Llama family on the CPU, by kernels of our own: weights in the dtype that they are stored in,
// everything else float32, one computation of a thread team for a whole step.
//
// A rank of a tensor group has its slice of every layer (tensor_slice.h) and the blocks of its own
// heads of keys and values. All ranks get the same steps, each on a thread of its own, and each
// returns the same bits: all logits, or whole hidden states. An error of the group is the error of
// the step and of every later one.
class CpuLlama : public CausalLm {
 public:
  // Asks `weights` for each tensor of the layers and the slice in `options`; the caller looks at
  // its status afterwards. Requires: `options.kv_blocks` is above 0, the layer range is in bounds,
  // CheckSlice returned OK, and a slice has its tensor group.
  CpuLlama(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
           checkpoint::Weights& weights);

  absl::StatusOr<Logits> Forward(const StepInput& input) override;
  absl::StatusOr<HiddenStates> ForwardHidden(const StepInput& input) override;

  bool first_stage() const override { return first_layer_ == 0; }
  bool last_stage() const override {
    return first_layer_ + static_cast<int>(weights_.layers.size()) == config_.layers;
  }
  int vocab_size() const override { return config_.vocab_size; }
  int hidden_size() const override { return config_.hidden_size; }
  int max_context() const override { return config_.max_positions; }
  int kv_blocks() const override { return kv_.blocks(); }
  ComputeDType dtype() const override { return dtype_; }
  int64_t kv_block_bytes() const override { return kv_.block_bytes(); }
  bool takes_soft_tokens() const override { return true; }

 private:
  using Member = kernels::ThreadTeam::Member;

  // What the layers of one step read and write. Heads, q_size, kv_size and inner units are those of
  // the rank.
  struct Step {
    const StepInput* input;
    int64_t tokens;
    float* x;         // [tokens, hidden]: the residual stream.
    float* normed;    // [tokens, hidden]
    float* qkv;       // [tokens, q_size + 2 · kv_size]
    float* attended;  // [tokens, q_size]
    float* inner;     // [tokens, intermediate]
    float* cos;       // [tokens, head_dim / 2], times the attention factor.
    float* sin;
    int32_t* pages;  // [tokens]: where a token's keys and values go.
    // [tokens]: the row [hidden] of a soft token, null for every other token. Null: none is soft.
    const float* const* soft_rows;
    float* logits;  // [logits_tokens, vocab]
    // [logits_tokens, VocabularyPart] of this rank, and of all ranks; not of a whole model.
    float* part_logits;
    float* all_logits;
    std::vector<kernels::AttentionUnit> units;
  };

  // The operations of one thread of the team: see LlamaOps. In cpu_llama_ops.h.
  class Ops;

  absl::Status Run(const StepInput& input);
  Step Prepare(const StepInput& input);
  void FindSoftRows(const StepInput& input, Step& step);
  // Returns the arguments for one layer of this stage, without a window: every token is seen.
  kernels::PagedAttentionArgs AttentionArgs(const Step& step, int layer) const;

  const LlamaConfig config_;  // RankConfig's.
  const TensorSlice slice_;
  const Range vocabulary_;         // The rank's rows.
  const int64_t vocabulary_part_;  // Rows of each rank but the last.
  ComputeDType dtype_;
  int first_layer_;
  std::vector<float> rope_frequencies_;
  const CpuWeights weights_;
  KvPages kv_;
  TeamExchange exchange_;
  kernels::ThreadTeam team_;
  std::vector<kernels::PagedAttention> attention_;  // Scratch of each thread.
  std::vector<float> buffer_;                       // What Step points into.
  std::vector<int32_t> pages_;
  std::vector<const float*> soft_rows_;
  int tokens_ = 0;                 // Of the last step.
  const float* hidden_ = nullptr;  // [tokens_, hidden] in `buffer_`.
  const float* logits_ = nullptr;
};

}  // namespace terminus::models::decoder
