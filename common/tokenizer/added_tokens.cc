#include "common/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

bool StandsAlone(absl::string_view text, size_t begin, size_t end) {
  if (begin > 0 && IsWordCharacter(PreviousCodePoint(text, begin))) return false;
  return end == text.size() || !IsWordCharacter(NextCodePoint(text, end));
}

// `begin` moved to the left over white space, not beyond `limit`.
size_t SkipSpaceBefore(absl::string_view text, size_t limit, size_t begin) {
  while (begin > limit) {
    const char32_t c = PreviousCodePoint(text, begin);
    if ((ClassOf(c) & kSpace) == 0) break;
    do {
      --begin;
    } while ((static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80);
  }
  return begin;
}

size_t SkipSpaceBehind(absl::string_view text, size_t end) {
  while (end < text.size()) {
    size_t next = end;
    if ((ClassOf(NextCodePoint(text, next)) & kSpace) == 0) break;
    end = next;
  }
  return end;
}

bool Overlaps(absl::Span<const base::ByteRange> ranges, size_t begin, size_t end) {
  const auto range = std::partition_point(ranges.begin(), ranges.end(),
                                          [&](const base::ByteRange& r) { return r.end <= begin; });
  return range != ranges.end() && range->begin < end;
}

std::vector<AddedToken> Sorted(std::vector<AddedToken> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  const auto end =
      std::unique(tokens.begin(), tokens.end(),
                  [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; });
  tokens.erase(end, tokens.end());
  return tokens;
}

Trie MakeTrie(const std::vector<AddedToken>& tokens) {
  std::vector<Trie::Entry> entries;
  for (const AddedToken& token : tokens) {
    entries.push_back({.key = token.content, .value = static_cast<int32_t>(entries.size())});
  }
  return Trie(entries);
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(Sorted(std::move(tokens))), trie_(MakeTrie(tokens_)) {
  for (const AddedToken& token : tokens_) {
    begins_[static_cast<unsigned char>(token.content[0])] = true;
    has_special_ |= token.special;
  }
}

Trie::Match AddedTokens::Find(absl::string_view text, size_t at,
                              const SpecialTokenLimits& limits) const {
  if (!begins_[static_cast<unsigned char>(text[at])]) return {};
  if (limits.plain_text.empty()) return trie_.LongestMatch(Trie::kRoot, text.substr(at));
  Trie::Match longest;
  trie_.ForEachPrefix(text.substr(at), [&](size_t length, int32_t place) {
    if (tokens_[place].special && Overlaps(limits.plain_text, at, at + length)) return;
    longest = {.length = length, .value = place};
  });
  return longest;
}

void AddedTokens::Split(absl::string_view text, const SpecialTokenLimits& limits,
                        absl::FunctionRef<void(absl::string_view)> on_text,
                        absl::FunctionRef<void(int32_t)> on_token) const {
  size_t done = 0;
  for (size_t at = 0; !tokens_.empty() && at < text.size();) {
    const Trie::Match match = Find(text, at, limits);
    if (match.length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match.value];
    size_t begin = at;
    size_t end = at + match.length;
    // The search goes on here, not behind what rstrip takes: a token of white space is found there.
    at = end;
    if (token.special && limits.split_all) continue;
    if (token.single_word && !StandsAlone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(done, SkipSpaceBefore(text, done, begin));
    if (token.rstrip) end = SkipSpaceBehind(text, end);
    // The token before it took all of it along: the library drops it.
    if (begin >= end) continue;
    if (done < begin) on_text(text.substr(done, begin - done));
    on_token(token.id);
    done = end;
  }
  if (done < text.size()) on_text(text.substr(done));
}

}  // namespace terminus::tokenizer
