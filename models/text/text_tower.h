#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "models/nn/loader.h"

namespace terminus::models::text {

// Token ids of several texts, one behind the other.
struct PackedTexts {
  std::vector<int64_t> ids;        // [tokens], those of no text behind the others.
  std::vector<int64_t> positions;  // [tokens]: place of each token in its text.
  std::vector<int32_t> offsets;    // [texts + 1]: first token of each text, then the last's end.
};

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

  // None of the texts is empty; ids are below vocabulary_size(), positions below max_tokens().
  // → [texts, dimension], on the device and in the dtype of the weights.
  virtual at::Tensor Forward(const PackedTexts& texts) const = 0;

  virtual int dimension() const = 0;
  virtual int vocabulary_size() const = 0;
  // Longest text, special tokens included.
  virtual int max_tokens() const = 0;
  virtual std::optional<Padding> padding() const { return std::nullopt; }
};

// What a folder's config.json describes, before any weight is read.
struct TextPlan {
  int dimension = 0;
  // Asks for each tensor; the caller looks at the weights' status afterwards.
  std::function<std::unique_ptr<TextTower>(const nn::Loader&)> build;
};

// To the device of `like`.
at::Tensor ToDevice(const std::vector<int64_t>& values, const at::Tensor& like);

}  // namespace terminus::models::text
