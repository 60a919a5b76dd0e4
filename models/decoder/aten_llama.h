#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/aten_rope.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"

namespace terminus::models::decoder {

// The Llama family by LibTorch's operators, on any device it knows: the slow reference of the other
// back ends. Computes in the dtype of the weights, keys and values included; KV blocks are gathered
// for each attention.
class AtenLlama : public CausalLm {
 public:
  // As CpuLlama's.
  AtenLlama(const LlamaConfig& config, const LmOptions& options, at::Device device,
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
  int kv_blocks() const override { return kv_blocks_; }
  ComputeDType dtype() const override { return dtype_; }
  int64_t kv_block_bytes() const override;
  bool takes_soft_tokens() const override { return true; }

 private:
  struct Product {
    at::Tensor weight;  // [out, in]
    std::optional<at::Tensor> bias;
  };
  using Layer = LlamaLayer<at::Tensor, Product>;

  // The cache of one layer: [blocks · kKvBlockTokens, kv_heads, head_dim] each.
  struct Cache {
    at::Tensor keys;
    at::Tensor values;
  };

  // A step's indices, on the device.
  struct Step {
    const StepInput* input;
    AtenRope::Angles angles;
    at::Tensor slots;      // [tokens]: row of the cache of each new token.
    at::Tensor positions;  // [tokens]
    // [length] of each sequence: rows of all its tokens, in order.
    std::vector<at::Tensor> rows;
  };

  class Loader;
  // See LlamaOps.
  class Ops;

  at::Tensor LoadTensor(const std::string& name, at::IntArrayRef shape,
                        checkpoint::Weights& weights) const;

  // → the residual stream behind the last layer, [tokens, hidden].
  absl::StatusOr<at::Tensor> Run(const StepInput& input);
  at::Tensor Embed(const StepInput& input) const;
  Step Prepare(const StepInput& input) const;
  at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) const;

  LlamaConfig config_;
  ComputeDType dtype_;
  at::TensorOptions options_;  // Of the weights.
  int first_layer_;
  int kv_blocks_;
  AtenRope rope_;
  at::Tensor embedding_;  // [vocab, hidden]
  std::vector<Layer> layers_;
  std::vector<Cache> cache_;  // One for each layer.
  at::Tensor final_norm_;
  at::Tensor head_;  // [vocab, hidden]
  at::Tensor out_;   // float32 on the host: what the last step made.
};

}  // namespace terminus::models::decoder
