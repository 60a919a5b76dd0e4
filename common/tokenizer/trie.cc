#include "common/tokenizer/trie.h"

#include <algorithm>
#include <deque>

namespace terminus::tokenizer {

// Lays nodes out level by level, each family of siblings at the first place where all fit.
class TrieBuilder {
 public:
  TrieBuilder(absl::Span<const Trie::Entry> entries, std::vector<Trie::Unit>& units)
      : entries_(entries), units_(units) {}

  void Build() {
    Grow();
    Take(Trie::kRoot);
    std::deque<Family> families = {{.node = Trie::kRoot, .begin = 0, .end = entries_.size()}};
    while (!families.empty()) {
      Place(families.front(), families);
      families.pop_front();
    }
    // Whatever byte follows a node, its place must exist.
    units_.resize(units_.size() + kBytes);
  }

 private:
  static constexpr uint32_t kBytes = 256;
  static constexpr uint32_t kEnd = 0xffffffff;

  // Keys [begin, end) share their first `depth` bytes, which lead to `node`.
  struct Family {
    Trie::Node node = 0;
    size_t begin = 0;
    size_t end = 0;
    size_t depth = 0;
  };

  uint8_t ByteOf(size_t entry, size_t depth) const {
    return static_cast<uint8_t>(entries_[entry].key[depth]);
  }

  void Place(Family family, std::deque<Family>& families) {
    if (family.begin < family.end && entries_[family.begin].key.size() == family.depth) {
      units_[family.node].value = entries_[family.begin].value;
      ++family.begin;
    }
    if (family.begin == family.end) return;
    bytes_.clear();
    const size_t first_child = families.size();
    for (size_t i = family.begin; i < family.end;) {
      const uint8_t byte = ByteOf(i, family.depth);
      const size_t begin = i;
      while (i < family.end && ByteOf(i, family.depth) == byte) ++i;
      bytes_.push_back(byte);
      families.push_back({.begin = begin, .end = i, .depth = family.depth + 1});
    }
    const uint32_t base = FindBase();
    units_[family.node].base = base;
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const Trie::Node child = base + bytes_[i];
      Take(child);
      units_[child].parent = family.node;
      families[first_child + i].node = child;
    }
  }

  // A base from which the units for all of bytes_ are free.
  uint32_t FindBase() {
    for (uint32_t unit = first_free_;; unit = next_[unit]) {
      if (unit == kEnd) {
        Grow();
        unit = last_grown_;
      }
      if (unit < bytes_[0]) continue;
      const uint32_t base = unit - bytes_[0];
      while (base + kBytes > units_.size()) Grow();
      if (std::all_of(bytes_.begin(), bytes_.end(),
                      [&](uint8_t byte) { return free_[base + byte]; })) {
        return base;
      }
    }
  }

  // Appends free units, and to the list of them.
  void Grow() {
    const auto begin = static_cast<uint32_t>(units_.size());
    const uint32_t end = begin + std::max(begin / 2, kBytes);
    units_.resize(end);
    free_.resize(end, true);
    next_.resize(end);
    previous_.resize(end);
    for (uint32_t unit = begin; unit < end; ++unit) {
      next_[unit] = kEnd;
      previous_[unit] = last_free_;
      (last_free_ == kEnd ? first_free_ : next_[last_free_]) = unit;
      last_free_ = unit;
    }
    last_grown_ = begin;
  }

  void Take(uint32_t unit) {
    free_[unit] = false;
    const uint32_t previous = previous_[unit];
    const uint32_t next = next_[unit];
    (previous == kEnd ? first_free_ : next_[previous]) = next;
    (next == kEnd ? last_free_ : previous_[next]) = previous;
  }

  const absl::Span<const Trie::Entry> entries_;
  std::vector<Trie::Unit>& units_;
  std::vector<uint8_t> bytes_;  // of the children being placed, ascending
  std::vector<bool> free_;
  // Free units, a doubly linked list in ascending order.
  std::vector<uint32_t> next_;
  std::vector<uint32_t> previous_;
  uint32_t first_free_ = kEnd;
  uint32_t last_free_ = kEnd;
  uint32_t last_grown_ = 0;
};

Trie::Trie(absl::Span<const Entry> entries) {
  TrieBuilder(entries, units_).Build();
  units_.shrink_to_fit();
}

absl::optional<Trie::Node> Trie::Walk(Node node, absl::string_view text) const {
  for (const char byte : text) {
    const Node child = units_[node].base + static_cast<unsigned char>(byte);
    if (units_[child].parent != node) return absl::nullopt;
    node = child;
  }
  return node;
}

}  // namespace terminus::tokenizer
