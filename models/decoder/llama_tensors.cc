#include "models/decoder/llama_tensors.h"

namespace terminus::models::decoder {
namespace {

constexpr absl::string_view kPrefixes[] = {"model."};
constexpr char kEmbedding[] = "embed_tokens.weight";
constexpr char kHead[] = "lm_head.weight";

}  // namespace

const weights::TensorNames kLlamaNames = {.prefixes = kPrefixes};

LlamaTables FindTables(const LlamaConfig& config, const checkpoint::Weights& weights) {
  if (!config.tied_embeddings) {
    return {.embedding = kEmbedding, .head = kHead};
  }
  if (!weights.Has(kHead)) {
    return {.embedding = kEmbedding, .head = kEmbedding};
  }
  if (!weights.Has(kEmbedding)) {
    return {.embedding = kHead, .head = kHead};
  }
  return {.embedding = kEmbedding, .head = weights.IsSame(kEmbedding, kHead) ? kEmbedding : kHead};
}

}  // namespace terminus::models::decoder
