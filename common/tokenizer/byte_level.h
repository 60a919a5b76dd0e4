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

}  // namespace terminus::tokenizer
