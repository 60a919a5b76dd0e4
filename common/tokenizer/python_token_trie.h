#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace terminus::tokenizer {

// The class Trie of transformers, by which its tokenizers in Python find added tokens. Where tokens
// overlap, it does not always find the one that begins first, nor the longest: this does the same
// steps. Immutable.
class PythonTokenTrie {
 public:
  explicit PythonTokenTrie(absl::Span<const std::string> tokens);

  // The parts of valid UTF-8 in order: tokens, and the text between them. None is empty.
  std::vector<absl::string_view> Split(absl::string_view text) const;

 private:
  struct Node {
    absl::flat_hash_map<char32_t, size_t> children;
    bool ends = false;  // a token
  };
  // A token that may have begun at a character.
  struct State {
    size_t start = 0;
    size_t node = 0;
  };
  struct Match {
    size_t start = 0;
    size_t end = 0;
    size_t skip = 0;  // no character before this one is looked at again
  };

  // The child of a node by a character; 0, the root, for none.
  size_t ChildOf(size_t node, char32_t c) const;
  // The token that counts, of those that may have begun, once `states[found]` ends one in front of
  // `current`.
  Match LookAhead(const std::u32string& text, size_t current, size_t skip,
                  absl::Span<const State> states, size_t found) const;
  // Returns the positions at which to cut the text, in characters.
  std::vector<size_t> OffsetsOf(const std::u32string& text) const;

  std::vector<Node> nodes_;
};

}  // namespace terminus::tokenizer
