#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

class JsonNode;

// The words of a text while stages cut it. Not thread-safe.
class WordList {
 public:
  // Views of the text, or of what a stage made of it.
  std::vector<absl::string_view> list;
  // Where text begins that nothing stands in front of; null when there is none.
  const char* beginning = nullptr;

  // Keeps what a stage made of `original`; valid until Clear.
  absl::string_view Keep(absl::string_view original, std::string rewritten) {
    const absl::string_view kept = rewritten_.emplace_back(std::move(rewritten));
    if (original.data() == beginning) beginning = kept.data();
    return kept;
  }

  void Clear() {
    list.clear();
    rewritten_.clear();
    beginning = nullptr;
  }

 private:
  std::deque<std::string> rewritten_;
};

// Second stage: cuts normalised text into words. Immutable.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Appends the words of valid UTF-8 that is not empty, none empty, as views into `text` or into
  // what `words` keeps.
  virtual void Split(absl::string_view text, WordList& words) const = 0;
};

// What the section "pre_tokenizer" asks for, as far as it does not say how the vocabulary is
// written. Null leaves text whole. INVALID_ARGUMENT names what is supported.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonNode& section);

// What a section that MakePreTokenizer takes says beyond how to split.
struct PreTokenizerTraits {
  // A "ByteLevel" is the last: the vocabulary is over bytes, written down with a character for
  // each; see byte_level.h.
  bool bytes = false;
  // A "Metaspace" treats the beginning of the whole text apart (prepend_scheme "first").
  bool marks_beginning = false;
  // That one stands behind others.
  bool marks_beginning_late = false;
};

PreTokenizerTraits TraitsOf(const JsonNode& section);

}  // namespace terminus::tokenizer
