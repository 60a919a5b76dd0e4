#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

class JsonNode;

// First stage: rewrites text. Immutable.
class Normalizer {
 public:
  virtual ~Normalizer() = default;

  // Appends the normalised form of valid UTF-8; the result is valid UTF-8.
  virtual void Normalize(absl::string_view text, std::string& out) const = 0;

  // Whether what a text begins with is never dropped, so that the beginning of the result is what
  // became of the beginning of the text.
  virtual bool KeepsBeginning() const = 0;
};

// What the section "normalizer" asks for. INVALID_ARGUMENT names what is supported.
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizer(const JsonNode& section);

}  // namespace terminus::tokenizer
