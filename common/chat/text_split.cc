#include <algorithm>
#include <limits>
#include <string>

#include "common/base/status_macros.h"
#include "common/chat/text_methods.h"
#include "common/chat/text_search.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

Text WithoutSpaceBehind(const Text& text) {
  size_t end = text.bytes.size();
  while (end > 0 && IsSpace(tokenizer::PreviousCodePoint(text.bytes, end))) {
    do {
      --end;
    } while ((static_cast<unsigned char>(text.bytes[end]) & 0xc0) == 0x80);
  }
  return Slice(text, 0, end);
}

// At most `limit` cuts at white space, from the left.
List SplitAtSpace(const Text& text, int64_t limit) {
  List words;
  size_t at = 0;
  const absl::string_view bytes = text.bytes;
  while (true) {
    size_t word = at;
    while (word < bytes.size()) {
      size_t next = word;
      if (!IsSpace(tokenizer::NextCodePoint(bytes, next))) break;
      word = next;
    }
    if (word == bytes.size()) return words;
    if (static_cast<int64_t>(words.size()) == limit) {
      words.push_back(Value(Slice(text, word, bytes.size())));
      return words;
    }
    size_t end = word;
    while (end < bytes.size()) {
      size_t next = end;
      if (IsSpace(tokenizer::NextCodePoint(bytes, next))) break;
      end = next;
    }
    words.push_back(Value(Slice(text, word, end)));
    at = end;
  }
}

// The same from the right.
List SplitAtSpaceFromRight(const Text& text, int64_t limit) {
  const List words = SplitAtSpace(text, std::numeric_limits<int64_t>::max());
  const auto count = static_cast<int64_t>(words.size());
  if (count <= limit) return words;
  // The first words stay together, with the white space between them.
  Text rest = WithoutSpaceBehind(text);
  for (int64_t i = 0; i < limit; ++i) {
    const std::string& word = words[static_cast<size_t>(count - 1 - i)].text()->bytes;
    rest = WithoutSpaceBehind(Slice(rest, 0, rest.bytes.size() - word.size()));
  }
  List parts = {Value(std::move(rest))};
  parts.insert(parts.end(), words.end() - limit, words.end());
  return parts;
}

List SplitAt(const Text& text, absl::string_view separator, int64_t limit, bool last) {
  List parts;
  const absl::string_view bytes = text.bytes;
  size_t begin = 0;
  size_t end = bytes.size();
  while (static_cast<int64_t>(parts.size()) < limit) {
    const absl::string_view rest = bytes.substr(begin, end - begin);
    const size_t found = last ? rest.rfind(separator) : rest.find(separator);
    if (found == absl::string_view::npos) break;
    const size_t at = begin + found;
    if (last) {
      parts.push_back(Value(Slice(text, at + separator.size(), end)));
      end = at;
    } else {
      parts.push_back(Value(Slice(text, begin, at)));
      begin = at + separator.size();
    }
  }
  parts.push_back(Value(Slice(text, begin, end)));
  if (last) std::reverse(parts.begin(), parts.end());
  return parts;
}

absl::StatusOr<Value> Split(Context& context, const Text& text, const Arguments& arguments,
                            bool last) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("split", arguments, {"sep", "maxsplit"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(int64_t limit, bound.IntegerOr(1, -1));
  if (limit < 0) limit = std::numeric_limits<int64_t>::max();
  List parts;
  if (!bound.has(0) || bound.at(0).is_none()) {
    parts = last ? SplitAtSpaceFromRight(text, limit) : SplitAtSpace(text, limit);
  } else {
    TERMINUS_ASSIGN_OR_RETURN(const Text* const separator, bound.TextAt(0));
    if (separator->bytes.empty()) return Error("split: an empty separator");
    parts = SplitAt(text, separator->bytes, limit, last);
  }
  TERMINUS_RETURN_IF_ERROR(context.Step(parts.size()));
  return Value(std::move(parts));
}

}  // namespace

absl::StatusOr<Value> SplitMethod(Context& context, const Text& text, const Arguments& arguments) {
  return Split(context, text, arguments, /*last=*/false);
}

absl::StatusOr<Value> LastSplitMethod(Context& context, const Text& text,
                                      const Arguments& arguments) {
  return Split(context, text, arguments, /*last=*/true);
}

absl::StatusOr<Value> SplitLinesMethod(Context& context, const Text& text,
                                       const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("splitlines", arguments, {"keepends"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t keep_ends, bound.IntegerOr(0, 0));
  List lines;
  for (Text& line : Lines(text, keep_ends != 0)) lines.push_back(Value(std::move(line)));
  TERMINUS_RETURN_IF_ERROR(context.Step(lines.size()));
  return Value(std::move(lines));
}

List Words(const Text& text) { return SplitAtSpace(text, std::numeric_limits<int64_t>::max()); }

std::vector<Text> Lines(const Text& text, bool keep_ends) {
  const auto ends_line = [](char32_t c) {
    return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
  };
  std::vector<Text> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.bytes.size();) {
    const size_t end = at;
    const char32_t c = tokenizer::NextCodePoint(text.bytes, at);
    if (!ends_line(c)) continue;
    if (c == '\r' && at < text.bytes.size() && text.bytes[at] == '\n') ++at;
    lines.push_back(Slice(text, begin, keep_ends ? at : end));
    begin = at;
  }
  if (begin < text.bytes.size()) lines.push_back(Slice(text, begin, text.bytes.size()));
  return lines;
}

}  // namespace terminus::chat
