#include "models/decoder/llama_tensors.h"

#include "models/decoder/llama_architecture.h"

namespace terminus::models::decoder {
namespace {

constexpr absl::string_view kPrefixes[] = {"model."};

// A loader that reads nothing.
struct Skipper {
  struct Nothing {};

  Nothing LoadNorm(const NormSpec& norm) const {
    weights.Skip(norm.name + ".weight");
    return {};
  }

  Nothing LoadLinear(const LinearSpec& linear) const {
    for (const LinearSpec::Part& part : linear.parts) {
      weights.Skip(part.name + ".weight");
      if (linear.bias) {
        weights.Skip(part.name + ".bias");
      }
    }
    return {};
  }

  checkpoint::Weights& weights;
};

}  // namespace

const weights::TensorNames kLlamaNames = {.prefixes = kPrefixes};

LlamaTables FindTables(const LlamaConfig& config, const checkpoint::Weights& weights) {
  if (!config.tied_embeddings) {
    return {.embedding = kEmbeddingTensor, .head = kHeadTensor};
  }
  if (!weights.Has(kHeadTensor)) {
    return {.embedding = kEmbeddingTensor, .head = kEmbeddingTensor};
  }
  if (!weights.Has(kEmbeddingTensor)) {
    return {.embedding = kHeadTensor, .head = kHeadTensor};
  }
  return {.embedding = kEmbeddingTensor,
          .head = weights.IsSame(kEmbeddingTensor, kHeadTensor) ? kEmbeddingTensor : kHeadTensor};
}

void SkipTensorsOfOthers(const LlamaConfig& config, checkpoint::Weights& weights) {
  const Skipper skipper{weights};
  for (int i = 0; i < config.layers; ++i) {
    LoadLlamaLayer(DescribeLayer(config, i), skipper);
  }
  skipper.LoadNorm(DescribeFinalNorm(config));
  const LlamaTables tables = FindTables(config, weights);
  weights.Skip(tables.embedding);
  weights.Skip(tables.head);
}

}  // namespace terminus::models::decoder
