#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/pre_tokenizer.h"

// The byte-level form of GPT-2 (Radford et al., 2019): a vocabulary over bytes, written down with a
// printable character for each byte.
namespace terminus::tokenizer {

// The bytes that a token of such a vocabulary stands for; nothing when a character of it stands for
// no byte.
absl::optional<std::string> BytesOfByteLevel(absl::string_view token);

// The character that each byte is written down with, as UTF-8.
const std::string& CharacterOfByte(unsigned char byte);

// Cuts text as GPT-2 does:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// White space stays with the words: the model sees the bytes as they are.
class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  struct Options {
    // Text that does not begin with a blank gets one in front.
    bool add_prefix_space = true;
    // Without it text stays whole.
    bool use_regex = true;
  };
  explicit ByteLevelPreTokenizer(const Options& options) : options_(options) {}

  void Split(absl::string_view text, WordList& words) const override;

 private:
  const Options options_;
};

}  // namespace terminus::tokenizer
