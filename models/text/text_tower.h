#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "models/nn/loader.h"
#include "models/nn/sequences.h"

namespace terminus::models::text {

// Token ids of several texts, one behind the other.
struct PackedTexts {
  std::vector<int64_t> ids;        // [tokens], those of no text behind the others.
  std::vector<int64_t> positions;  // [tokens]: place of each token in its text.
  std::vector<int32_t> offsets;    // [texts + 1]: first token of each text, then the last's end.
  // [texts]: the token whose state stands for each text. Empty where all of a text's tokens do.
  std::vector<int64_t> pooled;
};

// The same where the tower computes.
struct TextInputs {
  at::Tensor ids;        // int64 [tokens]
  at::Tensor positions;  // int64 [tokens]
  nn::Sequences sequences;
  at::Tensor pooled;  // int64 [texts], or undefined.
};

TextInputs ToDevice(const PackedTexts& texts, at::Device device);

// Texts to which a tower wants tokens of no meaning added, until they have this length.
struct Padding {
  int length = 0;
  int32_t token_id = 0;
};

// The layers of a text encoder, from token ids to one vector a text. Immutable: any thread may use
// it, and several at once.
class TextTower {
 public:
  virtual ~TextTower() = default;

  // The `pooled` of texts that have all else.
  virtual std::vector<int64_t> Pooled(const PackedTexts& texts) const = 0;

  // None of the texts is empty, but on a GPU; ids are below vocabulary_size(), positions below
  // max_tokens(). → [texts, dimension], on the device and in the dtype of the weights.
  virtual at::Tensor Forward(const TextInputs& inputs) const = 0;

  // Whether Forward of texts up to this length can be recorded as a CUDA graph, for other texts to
  // be computed by it: it never waits for the device, and looks at the texts there alone.
  virtual bool IsCapturable(int longest) const = 0;

  virtual int dimension() const = 0;
  virtual int vocabulary_size() const = 0;
  // Longest text, special tokens included.
  virtual int max_tokens() const = 0;
  virtual std::optional<Padding> padding() const { return std::nullopt; }
};

// What a folder's config.json describes, before any weight is read.
struct TextPlan {
  // Elements of a text's final vector.
  int dimension = 0;
  // Whether its reference is sentence-transformers also without a modules.json.
  bool plain_sentences = false;
  // How a checkpoint may write the names of its tensors.
  weights::TensorNames names;
  // Asks for each tensor; the caller looks at the weights' status afterwards.
  std::function<std::unique_ptr<TextTower>(const nn::Loader&)> build;
};

}  // namespace terminus::models::text
