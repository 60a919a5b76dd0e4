#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "models/decoder/llama_config.h"

// The one definition of the Llama-like architecture: its tensors, and the order of a layer's
// operations. Loaders walk the descriptions; back ends supply operations. Families differ by
// LlamaConfig only.
namespace terminus::models::decoder {

// Names below are those of a LlamaModel: without the prefix "model." (llama_tensors.h).
inline constexpr char kEmbeddingTensor[] = "embed_tokens.weight";  // [vocab, hidden]
inline constexpr char kHeadTensor[] = "lm_head.weight";            // [vocab, hidden]

// y = x / sqrt(mean(x²) + rms_norm_eps) · weight; tensor NAME.weight [width].
struct NormSpec {
  std::string name;
  int64_t width = 0;
};

// One linear map, y = x Wᵀ + b. Its rows are the rows of its parts, concatenated in order.
struct LinearSpec {
  // Tensors NAME.weight [out, in] and, with `bias`, NAME.bias [out].
  struct Part {
    std::string name;
    int64_t out = 0;
  };

  std::vector<Part> parts;
  int64_t in = 0;
  bool bias = false;
  // The parts are a gate and its values, of the same size: y = silu(gate) · values.
  bool gated = false;

  // Rows of W.
  int64_t out() const;
};

// A layer's norms and linear maps: their descriptions, or weights as a back end holds them.
template <class Norm, class Linear>
struct LlamaLayer {
  Norm attention_norm;
  Linear qkv;  // Queries, keys, values.
  // Normalise each head separately. As `Norm` is made by default where the model has none
  // (LlamaConfig::qk_norm).
  Norm query_norm;
  Norm key_norm;
  Linear attention_out;
  Norm mlp_norm;
  Linear gate_up;
  Linear down;
};

// A norm that the model does not have has an empty name.
using LayerSpec = LlamaLayer<NormSpec, LinearSpec>;

// Requires: 0 <= layer < config.layers.
LayerSpec DescribeLayer(const LlamaConfig& config, int layer);

// Behind the last layer.
NormSpec DescribeFinalNorm(const LlamaConfig& config);

// Loads the tensors of one layer. `loader.LoadNorm(NormSpec)` and `loader.LoadLinear(Linear)`
// return what the back end holds. `Linear` is LinearSpec, or LinearSlice for a rank of a tensor
// group.
template <class Linear, class Loader>
auto LoadLlamaLayer(const LlamaLayer<NormSpec, Linear>& spec, const Loader& loader) {
  using Norm = decltype(loader.LoadNorm(spec.attention_norm));
  using Held = decltype(loader.LoadLinear(spec.qkv));
  const auto optional = [&](const NormSpec& norm) {
    return norm.name.empty() ? Norm() : loader.LoadNorm(norm);
  };
  return LlamaLayer<Norm, Held>{.attention_norm = loader.LoadNorm(spec.attention_norm),
                                .qkv = loader.LoadLinear(spec.qkv),
                                .query_norm = optional(spec.query_norm),
                                .key_norm = optional(spec.key_norm),
                                .attention_out = loader.LoadLinear(spec.attention_out),
                                .mlp_norm = loader.LoadNorm(spec.mlp_norm),
                                .gate_up = loader.LoadLinear(spec.gate_up),
                                .down = loader.LoadLinear(spec.down)};
}

// The steps that change a layer's heads between projection and attention, in this order.
template <class Norm>
struct HeadSteps {
  // Normalise each head of queries and of keys. Null: none is.
  const Norm* query_norm = nullptr;
  const Norm* key_norm = nullptr;
  // Turn queries and keys by their positions.
  bool rope = true;
  // Then keys and values are written to the cache, where there is one.
};

// The operations of a back end over one step's tokens. It keeps five values between them:
//   x [tokens, hidden]: the residual stream, set before the first operation
//   normed [tokens, hidden], qkv [tokens, q_size + 2 · kv_size], attended [tokens, q_size],
//   inner [tokens, intermediate]
// An operation writes the values that stand left of the arrow and may overwrite any that no later
// operation reads. `layer` counts from the first layer of the stage.
template <class Ops, class Norm, class Linear>
concept LlamaOps = requires(Ops& ops, const Norm& norm, const Norm* next, const Linear& linear,
                            const HeadSteps<Norm>& steps, const LayerAttention& attention,
                            int layer) {
  { ops.Norm(norm) } -> std::same_as<void>;                  // normed ← norm(x)
  { ops.ProjectQkv(linear) } -> std::same_as<void>;          // qkv ← linear(normed)
  { ops.PrepareHeads(steps, layer) } -> std::same_as<void>;  // qkv ← steps(qkv)
  { ops.Attend(attention, layer) } -> std::same_as<void>;    // attended ← attention(qkv, cache)
  // x ← x + linear(attended), normed ← norm(x)
  { ops.AddAttended(linear, norm) } -> std::same_as<void>;
  { ops.ProjectGated(linear) } -> std::same_as<void>;  // inner ← linear(normed)
  // x ← x + linear(inner), normed ← next(x) unless `next` is null
  { ops.AddInner(linear, next) } -> std::same_as<void>;
};

// Runs the layers of a stage, the first of which is `first_layer` of the model.
template <class Norm, class Linear, LlamaOps<Norm, Linear> Ops>
void RunLlamaLayers(const LlamaConfig& config, int first_layer,
                    const std::vector<LlamaLayer<Norm, Linear>>& layers, Ops& ops) {
  const int count = static_cast<int>(layers.size());
  for (int i = 0; i < count; ++i) {
    const LlamaLayer<Norm, Linear>& layer = layers[i];
    const LayerAttention& attention = config.layer_attention[first_layer + i];
    if (i == 0) {
      ops.Norm(layer.attention_norm);
    }
    ops.ProjectQkv(layer.qkv);
    ops.PrepareHeads(HeadSteps<Norm>{.query_norm = config.qk_norm ? &layer.query_norm : nullptr,
                                     .key_norm = config.qk_norm ? &layer.key_norm : nullptr,
                                     .rope = attention.rope},
                     i);
    ops.Attend(attention, i);
    ops.AddAttended(layer.attention_out, layer.mlp_norm);
    ops.ProjectGated(layer.gate_up);
    ops.AddInner(layer.down, i + 1 < count ? &layers[i + 1].attention_norm : nullptr);
  }
}

}  // namespace terminus::models::decoder
