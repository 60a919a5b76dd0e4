#include "common/tokenizer/python_token_trie.h"

#include <algorithm>

#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr size_t kRoot = 0;

}  // namespace

PythonTokenTrie::PythonTokenTrie(absl::Span<const std::string> tokens) : nodes_(1) {
  for (const std::string& token : tokens) {
    size_t node = kRoot;
    for (size_t at = 0; at < token.size();) {
      const char32_t c = NextCodePoint(token, at);
      size_t child = ChildOf(node, c);
      if (child == kRoot) {
        child = nodes_.size();
        nodes_[node].children[c] = child;
        nodes_.emplace_back();
      }
      node = child;
    }
    if (node != kRoot) nodes_[node].ends = true;
  }
}

size_t PythonTokenTrie::ChildOf(size_t node, char32_t c) const {
  const auto child = nodes_[node].children.find(c);
  return child == nodes_[node].children.end() ? kRoot : child->second;
}

PythonTokenTrie::Match PythonTokenTrie::LookAhead(const std::u32string& text, size_t current,
                                                  size_t skip, absl::Span<const State> states,
                                                  size_t found) const {
  Match match{.start = states[found].start, .end = current, .skip = skip};
  for (const State& state : states) {
    if (state.start > match.start) break;
    // Those that began earlier have taken the current character already.
    size_t ahead = state.start < match.start ? current + 1 : current;
    match.end = ahead;
    size_t node = state.node;
    const auto take = [&] {
      if (nodes_[node].ends) match = {.start = state.start, .end = ahead, .skip = ahead};
    };
    take();
    while (ahead < text.size()) {
      const size_t child = ChildOf(node, text[ahead]);
      if (child == kRoot) break;
      node = child;
      ++ahead;
      take();
    }
  }
  return match;
}

std::vector<size_t> PythonTokenTrie::OffsetsOf(const std::u32string& text) const {
  std::vector<size_t> offsets = {0};
  std::vector<State> states;  // by their starts
  size_t skip = 0;
  for (size_t current = 0; current < text.size(); ++current) {
    if (current < skip) continue;
    std::vector<State> going;
    bool found = false;
    for (size_t i = 0; i < states.size(); ++i) {
      if (nodes_[states[i].node].ends) {
        const Match match = LookAhead(text, current, skip, states, i);
        skip = match.skip;
        offsets.insert(offsets.end(), {match.start, match.end});
        found = true;
        break;
      }
      const size_t child = ChildOf(states[i].node, text[current]);
      if (child == kRoot) continue;
      states[i].node = child;
      going.push_back(states[i]);
    }
    states = found ? std::vector<State>() : std::move(going);
    const size_t first = ChildOf(kRoot, text[current]);
    if (current >= skip && first != kRoot) states.push_back({.start = current, .node = first});
  }
  const auto last = std::find_if(states.begin(), states.end(),
                                 [&](const State& state) { return nodes_[state.node].ends; });
  if (last != states.end()) offsets.insert(offsets.end(), {last->start, text.size()});
  offsets.push_back(text.size());
  return offsets;
}

std::vector<absl::string_view> PythonTokenTrie::Split(absl::string_view text) const {
  std::u32string characters;
  std::vector<size_t> bytes;  // where each character begins
  for (size_t at = 0; at < text.size();) {
    bytes.push_back(at);
    characters += NextCodePoint(text, at);
  }
  bytes.push_back(text.size());
  std::vector<absl::string_view> parts;
  size_t start = 0;
  for (const size_t end : OffsetsOf(characters)) {
    if (start >= end) continue;
    parts.push_back(text.substr(bytes[start], bytes[end] - bytes[start]));
    start = end;
  }
  return parts;
}

}  // namespace terminus::tokenizer
