#include "models/decoder/memory_plan.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "models/decoder/kv_view.h"
#include "models/decoder/tensor_slice.h"

namespace terminus::models::decoder {
namespace {

int64_t Numbers(const NormSpec& norm) { return norm.name.empty() ? 0 : norm.width; }

int64_t Numbers(const LinearSpec& linear) {
  return linear.out() * (linear.in + (linear.bias ? 1 : 0));
}

int64_t Numbers(const LinearSlice& linear) {
  return linear.out() * (linear.columns.size() + (linear.bias ? 1 : 0));
}

template <class Linear>
int64_t Numbers(const LlamaLayer<NormSpec, Linear>& layer) {
  return Numbers(layer.attention_norm) + Numbers(layer.qkv) + Numbers(layer.query_norm) +
         Numbers(layer.key_norm) + Numbers(layer.attention_out) + Numbers(layer.mlp_norm) +
         Numbers(layer.gate_up) + Numbers(layer.down);
}

std::string MiB(int64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

}  // namespace

int64_t KvBlockBytes(int layers, int kv_heads, int head_dim, int64_t element_bytes) {
  return int64_t{2} * layers * kKvBlockTokens * kv_heads * head_dim * element_bytes;
}

int64_t ParameterCount(const LayerSpec& layer) { return Numbers(layer); }

MemoryNeed NeedOf(const LlamaConfig& config, const LmOptions& options, int64_t element_bytes) {
  const LayerRange& layers = options.layers;
  const int last = layers.last == -1 ? config.layers : layers.last;
  int64_t numbers = 0;
  for (int layer = layers.first; layer < last; ++layer) {
    numbers += Numbers(SliceLayer(config, layer, options.tensor));
  }
  const int64_t table = SliceVocabulary(config, options.tensor).size() * config.hidden_size;
  if (layers.first == 0) {
    numbers += table;
  }
  if (last == config.layers) {
    numbers += Numbers(DescribeFinalNorm(config));
    numbers += config.tied_embeddings && layers.first == 0 ? 0 : table;
  }
  MemoryNeed need;
  need.weights = numbers * element_bytes;
  // The five values of a layer (llama_architecture.h), and the logits in float32.
  const LlamaConfig rank = RankConfig(config, options.tensor);
  const int64_t qkv = rank.q_size() + 2 * rank.kv_size();
  const int64_t values =
      2 * int64_t{rank.hidden_size} + qkv + rank.q_size() + rank.intermediate_size;
  need.workspace = options.max_tokens * values * element_bytes +
                   int64_t{options.max_sequences} * config.vocab_size * int64_t{sizeof(float)};
  const int64_t block =
      KvBlockBytes(last - layers.first, rank.kv_heads, rank.head_dim, element_bytes);
  const int64_t blocks = options.kv_blocks > 0  ? options.kv_blocks
                         : options.kv_bytes > 0 ? std::max<int64_t>(1, options.kv_bytes / block)
                                                : options.max_sequences;
  need.cache = blocks * block;
  return need;
}

absl::Status CheckFits(const MemoryNeed& need, const DeviceMemory& memory,
                       const LmOptions& options) {
  const bool automatic = options.kv_blocks == 0 && options.kv_bytes == 0;
  const int64_t kept = automatic ? static_cast<int64_t>((1 - double{options.memory_share}) *
                                                        static_cast<double>(memory.total))
                                 : 0;
  if (need.sum() <= memory.free - kept) {
    return absl::OkStatus();
  }
  return base::MakeError(
      absl::StatusCode::kFailedPrecondition, base::kReasonModelTooLarge,
      absl::StrCat("the model needs at least ", MiB(need.sum()), " of the device (weights ",
                   MiB(need.weights), ", workspace ", MiB(need.workspace), ", keys and values ",
                   MiB(need.cache),
                   need.graphs > 0 ? absl::StrCat(", graphs ", MiB(need.graphs)) : "", "); ",
                   MiB(memory.free), " of its ", MiB(memory.total), " are free",
                   kept > 0 ? absl::StrCat(", of which ", MiB(kept), " stay free") : "",
                   ". Where another model is served meanwhile, set decoder.kv_bytes so that both "
                   "have room"));
}

}  // namespace terminus::models::decoder
