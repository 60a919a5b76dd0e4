#include "models/decoder/llama_tensors.h"

#include "models/decoder/llama_architecture.h"

namespace terminus::models::decoder {
namespace {

constexpr absl::string_view kPrefixes[] = {"model."};

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

}  // namespace terminus::models::decoder
