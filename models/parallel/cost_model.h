#pragma once

#include <cstdint>
#include <vector>

#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"

namespace terminus::models::parallel {

// The average load of a decoder. It decides how the layers are divided.
struct Mix {
  // Sequences of a micro-batch that get one token each.
  int rows = 32;
  // Tokens that each of them sees.
  int context = 512;
  // Tokens of prompts that are computed for each token of output. 0: decoding alone.
  double prompt_tokens = 0;
};

// The work of one micro-batch.
struct Work {
  // Sequences that get a token; each goes through the head.
  double rows = 0;
  // Tokens of prompts.
  double prompt_tokens = 0;
  // Tokens that a row, or the last token of a prompt, sees.
  double context = 0;

  double tokens() const { return rows + prompt_tokens; }
};

Work WorkOf(const Mix& mix);

// The speed of a device and its links. The defaults are an NVIDIA H200: its rates as
// measured (docs/benchmarks.md), its links as NVLink is specified.
struct Rates {
  double read_bytes_per_s = 4.38e12;
  double operations_per_s = 7.9e14;
  // Bytes of one number of weights, activations, keys and values.
  int64_t element_bytes = 2;
  // Beginnings and ends of the kernels of a layer.
  double layer_overhead_s = 0;
  // A sum over the tensor ranks: until the first byte has arrived, and one way of each link.
  double all_reduce_latency_s = 7e-6;
  double link_bytes_per_s = 4.5e11;
};

// Seconds that a rank needs for parts of the model: the roofline. A product takes the larger of
// reading its weights and computing; reading keys and values comes on top, as do the sums over
// tensor ranks and the overhead of a layer. Kernels slower than the device are not counted
// otherwise, so real seconds are more; a split needs the ratio of the parts only. Immutable.
class CostModel {
 public:
  // Requires: CheckGrid accepted a grid with this `tensor`; the rates are above 0.
  CostModel(const decoder::LlamaConfig& config, int tensor, const Rates& rates);

  int layers() const { return static_cast<int>(layers_.size()); }
  double Embedding(const Work& work) const;
  double Layer(int layer, const Work& work) const;
  double Head(const Work& work) const;
  // The layers [first, last), with the embedding where the first and the head where the last of the
  // model is among them. Requires: `range.last` is not -1.
  double Stage(const decoder::LayerRange& range, const Work& work) const;
  // Hidden states of a micro-batch, which one stage sends to the next.
  double HiddenBytes(const Work& work) const;

 private:
  struct LayerSize {
    double weights = 0;  // Numbers.
    int window = 0;      // 0: none.
  };

  double Product(double weights, double tokens) const;
  double AllReduce(double tokens) const;

  Rates rates_;
  int tensor_;
  double hidden_;
  double query_size_;
  double kv_bytes_per_token_;  // For one layer.
  double head_weights_;
  std::vector<LayerSize> layers_;
};

}  // namespace terminus::models::parallel
