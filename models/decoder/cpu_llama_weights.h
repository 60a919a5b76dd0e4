#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "models/checkpoint/weights.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"
#include "models/kernels/isa.h"
#include "models/kernels/panels/panel_gemm.h"

namespace terminus::models::decoder {

struct CpuProduct {
  kernels::PanelWeight weight;
  std::vector<float> bias;  // Empty: none.
};

using CpuLayer = LlamaLayer<std::vector<float>, CpuProduct>;

// The weights of a stage, or of a rank's slice of it, where the CPU's products and norms read them.
struct CpuWeights {
  std::vector<CpuLayer> layers;
  // [the rank's rows of the vocabulary, hidden], float32 or bfloat16; first stage only.
  at::Tensor embedding;
  std::vector<float> final_norm;  // [hidden]; last stage only.
  // [VocabularyPart, hidden]; last stage only. Rows that the last rank does not have are zeros.
  std::unique_ptr<kernels::PanelWeight> head;
};

// Asks `weights` for the tensors of the layers and the slice in `options`; the caller looks at its
// status afterwards. Requires: the layer range is in bounds, and CheckSlice returned OK.
CpuWeights LoadCpuWeights(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
                          checkpoint::Weights& weights);

}  // namespace terminus::models::decoder
