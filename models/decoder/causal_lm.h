#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "models/decoder/lm_options.h"
#include "models/decoder/step.h"

namespace terminus::models::decoder {

// A causal language model, or a range of its layers, on a device, with the memory for keys and
// values of kv_blocks() blocks. It holds no state of sequences but what lies in those blocks. Used
// by one thread at a time.
class CausalLm {
 public:
  virtual ~CausalLm() = default;

  // Runs the last stage, or the whole model. A sequence's logits do not depend on what else is in
  // the step, nor on which blocks it has, but for rounding.
  // INVALID_ARGUMENT says which token, sequence or block of the step is outside of what the model
  // has; nothing is written then. May throw what LibTorch throws: call it inside
  // executor::RunGuarded or an Executor.
  virtual absl::StatusOr<Logits> Forward(const StepInput& input) = 0;

  // Runs a stage that is not the last; `logits_tokens` is not looked at. The same errors.
  virtual absl::StatusOr<HiddenStates> ForwardHidden(const StepInput& input) = 0;

  virtual bool first_stage() const = 0;
  virtual bool last_stage() const = 0;

  // Token ids are below this.
  virtual int vocab_size() const = 0;
  virtual int hidden_size() const = 0;

  // Tokens of the longest sequence, prompt and answer together; positions are below this.
  virtual int max_context() const = 0;

  // Blocks of kKvBlockTokens tokens, ids from 0.
  virtual int kv_blocks() const = 0;

  // Whether it computes StepInput::soft.
  virtual bool takes_soft_tokens() const { return false; }

  // The type of the weights, in which a GPU also computes: kFloat32 or kBFloat16.
  virtual ComputeDType dtype() const = 0;

  // Keys and values of one block in all of this stage's layers.
  virtual int64_t kv_block_bytes() const = 0;
};

}  // namespace terminus::models::decoder
