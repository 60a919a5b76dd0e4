#include "models/parallel/cost_model.h"

#include <algorithm>

#include "models/decoder/kv_view.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/memory_plan.h"
#include "models/parallel/grid.h"

namespace terminus::models::parallel {

Work WorkOf(const Mix& mix) {
  return {.rows = static_cast<double>(mix.rows),
          .prompt_tokens = mix.rows * mix.prompt_tokens,
          .context = static_cast<double>(mix.context)};
}

CostModel::CostModel(const decoder::LlamaConfig& config, int tensor, const Rates& rates)
    : rates_(rates), tensor_(tensor), hidden_(config.hidden_size) {
  const decoder::LlamaConfig share = TensorShare(config, tensor);
  query_size_ = share.q_size();
  kv_bytes_per_token_ = static_cast<double>(decoder::KvBlockBytes(1, share.kv_heads, share.head_dim,
                                                                  rates.element_bytes)) /
                        decoder::kKvBlockTokens;
  head_weights_ = static_cast<double>(share.vocab_size) * hidden_;
  for (int i = 0; i < share.layers; ++i) {
    const int64_t weights = decoder::ParameterCount(decoder::DescribeLayer(share, i));
    layers_.push_back(
        {.weights = static_cast<double>(weights), .window = share.layer_attention[i].window});
  }
}

double CostModel::Embedding(const Work& work) const {
  // Each row is read, and written as a hidden state.
  return 2 * HiddenBytes(work) / rates_.read_bytes_per_s + AllReduce(work.tokens());
}

double CostModel::Layer(int layer, const Work& work) const {
  const LayerSize& size = layers_[layer];
  const double context =
      size.window == 0 ? work.context : std::min(work.context, static_cast<double>(size.window));
  // A prompt's token sees half of the context on average; two operations for its products with
  // keys, two for those with values.
  const double attention = 2 * work.prompt_tokens * context * query_size_;
  const double keys_and_values = work.rows * context * kv_bytes_per_token_;
  return Product(size.weights, work.tokens()) + attention / rates_.operations_per_s +
         keys_and_values / rates_.read_bytes_per_s + 2 * AllReduce(work.tokens()) +
         rates_.layer_overhead_s;
}

double CostModel::Head(const Work& work) const { return Product(head_weights_, work.rows); }

double CostModel::Stage(const decoder::LayerRange& range, const Work& work) const {
  double seconds = range.first == 0 ? Embedding(work) : 0;
  for (int layer = range.first; layer < range.last; ++layer) {
    seconds += Layer(layer, work);
  }
  return range.last == layers() ? seconds + Head(work) : seconds;
}

double CostModel::HiddenBytes(const Work& work) const {
  return work.tokens() * hidden_ * static_cast<double>(rates_.element_bytes);
}

double CostModel::Product(double weights, double tokens) const {
  const double bytes = weights * static_cast<double>(rates_.element_bytes);
  return std::max(bytes / rates_.read_bytes_per_s, 2 * weights * tokens / rates_.operations_per_s);
}

// The better of two ways: each rank reads the vectors of all others, or each sums a part and the
// parts are gathered.
double CostModel::AllReduce(double tokens) const {
  if (tensor_ == 1) {
    return 0;
  }
  const double seconds =
      tokens * hidden_ * static_cast<double>(rates_.element_bytes) / rates_.link_bytes_per_s;
  const double others = tensor_ - 1;
  return std::min(rates_.all_reduce_latency_s + others * seconds,
                  2 * rates_.all_reduce_latency_s + 2 * others / tensor_ * seconds);
}

}  // namespace terminus::models::parallel
