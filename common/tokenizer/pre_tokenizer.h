#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

class JsonNode;

// Second stage: cuts normalised text into words. Immutable.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Appends the words of valid UTF-8, none empty, as views into `text`.
  virtual void Split(absl::string_view text, std::vector<absl::string_view>& words) const = 0;
};

// What the section "pre_tokenizer" asks for. INVALID_ARGUMENT names what is supported.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonNode& section);

// Whether the section has a "ByteLevel" in it: then the vocabulary is one over bytes, written down
// with a character for each; see byte_level.h.
bool WritesBytesAsCharacters(const JsonNode& section);

}  // namespace terminus::tokenizer
