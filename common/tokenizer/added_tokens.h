#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/trie.h"

namespace terminus::tokenizer {

// A token that is found in the text as it stands, before the model sees it.
struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space behind it along
};

// Finds added tokens: of those that begin first, the longest. Immutable.
class AddedTokens {
 public:
  // Of two with the same content the first counts.
  explicit AddedTokens(std::vector<AddedToken> tokens = {});

  // Calls one of the two for each part of valid UTF-8, in its order; parts of text are not empty.
  void Split(absl::string_view text, absl::FunctionRef<void(absl::string_view)> on_text,
             absl::FunctionRef<void(int32_t)> on_token) const;

 private:
  // Sorted by content, all different.
  std::vector<AddedToken> tokens_;
  // Content → place in tokens_.
  Trie trie_;
  // Bytes that a content begins with.
  std::array<bool, 256> begins_ = {};
};

}  // namespace terminus::tokenizer
