#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace terminus::tokenizer {

// A map from byte strings to numbers >= 0 that finds the longest key a text begins with. A double
// array ("An Efficient Implementation of Trie Structures", Aoe et al., 1992): one memory access a
// byte, nothing allocated after it is built. Immutable.
class Trie {
 public:
  struct Entry {
    absl::string_view key;  // not empty
    int32_t value = 0;
  };

  using Node = uint32_t;
  static constexpr Node kRoot = 0;

  struct Match {
    size_t length = 0;  // 0: no key
    int32_t value = 0;
  };

  // `entries` are sorted by the bytes of their keys, which are all different. The keys are not
  // needed afterwards.
  explicit Trie(absl::Span<const Entry> entries);

  // The longest key that `text` begins with, from a node other than the root: the longest rest of
  // a key behind that node.
  Match LongestMatch(Node node, absl::string_view text) const {
    Match match;
    for (size_t i = 0; i < text.size(); ++i) {
      const Node child = units_[node].base + static_cast<unsigned char>(text[i]);
      if (units_[child].parent != node) break;
      node = child;
      if (units_[node].value >= 0) match = {.length = i + 1, .value = units_[node].value};
    }
    return match;
  }

  // Calls `on_match(length, value)` for each key that `text` begins with, the shortest first.
  template <typename Function>
  void ForEachPrefix(absl::string_view text, const Function& on_match) const {
    Node node = kRoot;
    for (size_t i = 0; i < text.size(); ++i) {
      const Node child = units_[node].base + static_cast<unsigned char>(text[i]);
      if (units_[child].parent != node) break;
      node = child;
      if (units_[node].value >= 0) on_match(i + 1, units_[node].value);
    }
  }

  // The node that `text` leads to from `node`; nothing when no key goes there.
  absl::optional<Node> Walk(Node node, absl::string_view text) const;

  // The value of the key that ends in `node`.
  absl::optional<int32_t> ValueOf(Node node) const {
    return units_[node].value >= 0 ? absl::make_optional(units_[node].value) : absl::nullopt;
  }

 private:
  friend class TrieBuilder;

  static constexpr Node kNone = 0xffffffff;

  // The child of a node by a byte is at base + byte, if that unit names it as its parent. There
  // are always 256 units from any base on.
  struct Unit {
    uint32_t base = 0;
    Node parent = kNone;
    int32_t value = -1;
  };

  std::vector<Unit> units_;
};

}  // namespace terminus::tokenizer
