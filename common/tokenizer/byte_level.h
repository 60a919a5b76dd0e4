#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/pre_tokenizer.h"

// The byte-level form of GPT-2 (Radford et al., 2019): a vocabulary over bytes, written down with a
// printable character for each byte.
namespace terminus::tokenizer {

// The bytes that a token of such a vocabulary stands for; nothing when a character of it stands for
// no byte.
absl::optional<std::string> BytesOfByteLevel(absl::string_view token);

// Cuts text as GPT-2 does:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// White space stays with the words: the model sees the bytes as they are.
class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  void Split(absl::string_view text, std::vector<absl::string_view>& words) const override;
};

// Leaves text in one piece: "ByteLevel" with use_regex off, behind a splitter of its own.
class WholePreTokenizer : public PreTokenizer {
 public:
  void Split(absl::string_view text, std::vector<absl::string_view>& words) const override {
    words.push_back(text);
  }
};

// Makes each digit (Unicode Nd, Nl and No) a word, or each run of digits.
class DigitsPreTokenizer : public PreTokenizer {
 public:
  explicit DigitsPreTokenizer(bool individual) : individual_(individual) {}
  void Split(absl::string_view text, std::vector<absl::string_view>& words) const override;

 private:
  const bool individual_;
};

}  // namespace terminus::tokenizer
