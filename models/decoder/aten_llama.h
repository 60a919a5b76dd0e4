#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"

namespace terminus::models::decoder {

// The Llama family by LibTorch's operators, on any device it knows: what GPUs run, and the slow
// reference of CpuLlama. Computes in the dtype of the weights, keys and values included; pages are
// gathered for each attention.
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
  int64_t kv_block_bytes() const override;

 private:
  struct Projection {
    at::Tensor weight;  // [out, in]
    std::optional<at::Tensor> bias;
  };

  struct Layer {
    at::Tensor attention_norm;
    Projection q, k, v, attention_out;
    at::Tensor mlp_norm;
    Projection gate, up, down;
    at::Tensor keys;  // [blocks · kKvBlockTokens, kv_heads, head_dim]
    at::Tensor values;
  };

  // A step's indices, on the device.
  struct Step {
    const StepInput* input;
    at::Tensor cos;  // [tokens, 1, head_dim]
    at::Tensor sin;
    at::Tensor slots;  // [tokens]: row of `keys` and `values` of each new token.
    // [length] of each sequence: rows of all its tokens, in order.
    std::vector<at::Tensor> rows;
    // [queries, length] of each sequence with more than one new token: what each may see.
    std::vector<at::Tensor> masks;
  };

  Projection Load(const std::string& name, int64_t in, int64_t out, bool bias,
                  checkpoint::Weights& weights) const;
  Layer LoadLayer(int index, checkpoint::Weights& weights) const;
  at::Tensor LoadTensor(const std::string& name, at::IntArrayRef shape,
                        checkpoint::Weights& weights) const;

  // → the residual stream behind the last layer, [tokens, hidden].
  absl::StatusOr<at::Tensor> Run(const StepInput& input);
  Step Prepare(const StepInput& input) const;
  at::Tensor Attend(const Layer& layer, const Step& step, const at::Tensor& x) const;
  at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) const;

  LlamaConfig config_;
  at::TensorOptions options_;  // Of the weights.
  int first_layer_;
  int kv_blocks_;
  at::Tensor frequencies_;  // [head_dim / 2], float32
  at::Tensor embedding_;    // [vocab, hidden]
  std::vector<Layer> layers_;
  at::Tensor final_norm_;
  at::Tensor head_;  // [vocab, hidden]
  at::Tensor out_;   // float32 on the host: what the last step made.
};

}  // namespace terminus::models::decoder
