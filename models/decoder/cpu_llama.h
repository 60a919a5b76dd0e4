#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/kv_pages.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"
#include "models/kernels/isa.h"
#include "models/kernels/paged/paged_attention.h"
#include "models/kernels/panels/panel_gemm.h"
#include "models/kernels/team/thread_team.h"

namespace terminus::models::decoder {

// The Llama family on the CPU, by kernels of our own: weights in the dtype that they are stored in,
// everything else float32, one computation of a thread team for a whole step.
class CpuLlama : public CausalLm {
 public:
  // Asks `weights` for each tensor of the layers in `options`; the caller looks at its status
  // afterwards. `options.kv_blocks` is above 0 here and the layer range in bounds.
  CpuLlama(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
           checkpoint::Weights& weights);

  absl::StatusOr<Logits> Forward(const StepInput& input) override;
  absl::StatusOr<HiddenStates> ForwardHidden(const StepInput& input) override;

  bool first_stage() const override { return first_layer_ == 0; }
  bool last_stage() const override {
    return first_layer_ + static_cast<int>(layers_.size()) == config_.layers;
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

  struct Product {
    kernels::PanelWeight weight;
    std::vector<float> bias;  // Empty: none.
  };
  using Layer = LlamaLayer<std::vector<float>, Product>;

  // What the layers of one step read and write.
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
    std::vector<kernels::AttentionUnit> units;
  };

  class Loader;
  // The operations of one thread of the team: see LlamaOps.
  class Ops;

  absl::Status Run(const StepInput& input);
  Step Prepare(const StepInput& input);
  void FindSoftRows(const StepInput& input, Step& step);
  // Returns the arguments for one layer of this stage, without a window: every token is seen.
  kernels::PagedAttentionArgs AttentionArgs(const Step& step, int layer) const;
  void Embed(Member& member, const Step& step) const;
  // The hidden state [hidden] with which a token enters the stage.
  void EmbedToken(const Step& step, int64_t token, float* x) const;
  void Head(Member& member, const Step& step) const;

  LlamaConfig config_;
  ComputeDType dtype_;
  int first_layer_;
  std::vector<float> rope_frequencies_;
  at::Tensor embedding_;  // [vocab, hidden], float32 or bfloat16; first stage only.
  std::vector<Layer> layers_;
  std::vector<float> final_norm_;               // [hidden]; last stage only.
  std::unique_ptr<kernels::PanelWeight> head_;  // Last stage only.
  KvPages kv_;
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
