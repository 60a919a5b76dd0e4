#pragma once

#include <cstdint>

#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/split_behavior.h"

namespace terminus::tokenizer {

// Cuts text at single characters of some classes (see unicode.h): "Digits", "Punctuation" and
// "WhitespaceSplit" of tokenizer.json.
class ClassSplit : public PreTokenizer {
 public:
  ClassSplit(uint8_t classes, SplitBehavior behavior) : classes_(classes), behavior_(behavior) {}
  void Split(absl::string_view text, WordList& words) const override;

 private:
  const uint8_t classes_;
  const SplitBehavior behavior_;
};

// Words are runs of word characters, and runs of others; white space vanishes: "Whitespace".
class WhitespacePreTokenizer : public PreTokenizer {
 public:
  void Split(absl::string_view text, WordList& words) const override;
};

// Leaves text in one piece.
class WholePreTokenizer : public PreTokenizer {
 public:
  void Split(absl::string_view text, WordList& words) const override { words.list.push_back(text); }
};

}  // namespace terminus::tokenizer
