#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/byte_range.h"
#include "common/tokenizer/trie.h"

namespace terminus::tokenizer {

// A token that is found in the text as it stands, before the model sees it.
struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space behind it along
  bool special = false;      // has a meaning for the model, such as the end of a turn
};

// Limits on the places where special tokens are found.
struct SpecialTokenLimits {
  // Special tokens are never found, as the library's encode_special_tokens has it: the bytes that
  // one would have taken are passed over.
  bool split_all = false;
  // No special token is found that has a byte of one of these. Ascending, apart from each other.
  absl::Span<const base::ByteRange> plain_text = {};
};

// Finds added tokens: of those that begin first, the longest. Immutable.
class AddedTokens {
 public:
  // Of two with the same content the first counts.
  explicit AddedTokens(std::vector<AddedToken> tokens = {});

  // Calls one of the two for each part of valid UTF-8, in its order; parts of text are not empty.
  void Split(absl::string_view text, const SpecialTokenLimits& limits,
             absl::FunctionRef<void(absl::string_view)> on_text,
             absl::FunctionRef<void(int32_t)> on_token) const;

  bool has_special() const { return has_special_; }

 private:
  // The longest token that `text` has at `at` within the limits; a length of 0 for none.
  Trie::Match Find(absl::string_view text, size_t at, const SpecialTokenLimits& limits) const;

  // Sorted by content, all different.
  std::vector<AddedToken> tokens_;
  // Content → place in tokens_.
  Trie trie_;
  // Bytes that a content begins with.
  std::array<bool, 256> begins_ = {};
  bool has_special_ = false;
};

}  // namespace terminus::tokenizer
