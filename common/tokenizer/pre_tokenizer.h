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

  // Appends the words of valid UTF-8 that is not empty, none empty, as views into `text`.
  virtual void Split(absl::string_view text, std::vector<absl::string_view>& words) const = 0;
};

// What the section "pre_tokenizer" asks for, as far as it does not say how the vocabulary is
// written. Null leaves text whole. INVALID_ARGUMENT names what is supported.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonNode& section);

// What a "ByteLevel" in the section, alone or the last of a sequence, says beyond how to split.
struct ByteLevelMode {
  // There is one: the vocabulary is over bytes, written down with a character for each; see
  // byte_level.h.
  bool bytes = false;
  // Text that does not begin with a blank gets one in front.
  bool add_prefix_space = false;
};

// Of a section that MakePreTokenizer takes.
ByteLevelMode ByteLevelModeOf(const JsonNode& section);

}  // namespace terminus::tokenizer
