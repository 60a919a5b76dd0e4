#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::tokenizer {

class JsonNode;

// Third stage: cuts a word into tokens of a vocabulary. Immutable.
class Model {
 public:
  virtual ~Model() = default;

  // Appends the ids of a word's tokens. The word is valid UTF-8 and not empty.
  virtual void Tokenize(absl::string_view word, std::vector<int32_t>& ids) const = 0;

  // The id of a whole token, as the file writes it.
  virtual absl::optional<int32_t> IdOf(absl::string_view token) const = 0;

  virtual int32_t largest_id() const = 0;

  // The token that stands for text which has no other; nothing if there is none.
  virtual absl::optional<int32_t> unknown_id() const = 0;
};

// What the section "model" asks for. `byte_level`: its vocabulary is over bytes, see byte_level.h.
// INVALID_ARGUMENT names what is supported.
absl::StatusOr<std::unique_ptr<const Model>> MakeModel(const JsonNode& section, bool byte_level);

}  // namespace terminus::tokenizer
