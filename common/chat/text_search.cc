#include "common/chat/text_search.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/text_methods.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

constexpr size_t kNone = absl::string_view::npos;

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// The part of a text that a method looks at: its bytes, and how many characters are before it.
struct Part {
  size_t begin = 0;
  size_t end = 0;
  int64_t index = 0;
  // False when the part begins behind the end: then not even the empty text is in it.
  bool exists = true;
};

// Reads the bounds from the arguments `at` and `at` + 1; none is no bound.
absl::StatusOr<Part> PartOf(const Text& text, const Bound& bound, size_t at) {
  const int64_t size = CountCharacters(text.bytes);
  int64_t bounds[2] = {0, size};
  for (size_t i = 0; i < 2; ++i) {
    if (!bound.has(at + i) || bound.at(at + i).is_none()) continue;
    TERMINUS_ASSIGN_OR_RETURN(int64_t index, bound.IntegerOr(at + i, 0));
    if (index < 0) index = std::max<int64_t>(index + size, 0);
    bounds[i] = i == 0 ? index : std::min(index, size);
  }
  Part part;
  part.exists = bounds[0] <= bounds[1];
  part.index = bounds[0];
  if (!part.exists) return part;
  const std::vector<size_t> offsets = CharacterOffsets(text.bytes);
  part.begin = offsets[static_cast<size_t>(bounds[0])];
  part.end = offsets[static_cast<size_t>(bounds[1])];
  return part;
}

// find() and rfind(): the index of a character, or -1.
absl::StatusOr<int64_t> Find(const Text& text, const Arguments& arguments, bool last) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("find", arguments, {"sub", "start", "end"}, 1, 3));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const wanted, bound.TextAt(0));
  TERMINUS_ASSIGN_OR_RETURN(const Part part, PartOf(text, bound, 1));
  if (!part.exists) return -1;
  const absl::string_view inside =
      absl::string_view(text.bytes).substr(part.begin, part.end - part.begin);
  const size_t found = last ? inside.rfind(wanted->bytes) : inside.find(wanted->bytes);
  return found == kNone ? -1 : part.index + CountCharacters(inside.substr(0, found));
}

absl::StatusOr<Value> Index(const Text& text, const Arguments& arguments, bool last) {
  TERMINUS_ASSIGN_OR_RETURN(const int64_t found, Find(text, arguments, last));
  if (found < 0) return Error("index: the string is not in it");
  return Value(found);
}

absl::StatusOr<Value> HasAffix(const Text& text, const Arguments& arguments, bool at_end) {
  TERMINUS_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make(at_end ? "endswith" : "startswith", arguments, {"affix", "start", "end"}, 1, 3));
  TERMINUS_ASSIGN_OR_RETURN(const Part part, PartOf(text, bound, 1));
  List affixes;
  if (bound.at(0).tuple() != nullptr) {
    affixes = *bound.at(0).tuple();
  } else {
    affixes.push_back(bound.at(0));
  }
  const absl::string_view inside =
      absl::string_view(text.bytes).substr(part.begin, part.end - part.begin);
  for (const Value& affix : affixes) {
    if (affix.text() == nullptr) {
      return Error(absl::StrCat(at_end ? "endswith" : "startswith",
                                ": expected a string or a tuple of such, not ", affix.TypeName()));
    }
    const std::string& bytes = affix.text()->bytes;
    if (part.exists && (at_end ? absl::EndsWith(inside, bytes) : absl::StartsWith(inside, bytes))) {
      return Value(true);
    }
  }
  return Value(false);
}

// The bytes [begin, end) without the characters at the sides of which `inside` holds.
template <typename Inside>
Text Stripped(const Text& text, Inside inside, bool left, bool right) {
  size_t begin = 0;
  size_t end = text.bytes.size();
  while (left && begin < end) {
    size_t next = begin;
    if (!inside(tokenizer::NextCodePoint(text.bytes, next))) break;
    begin = next;
  }
  while (right && begin < end && inside(tokenizer::PreviousCodePoint(text.bytes, end))) {
    do {
      --end;
    } while ((static_cast<unsigned char>(text.bytes[end]) & 0xc0) == 0x80);
  }
  return Slice(text, begin, end);
}

absl::StatusOr<Value> Strip(const Text& text, const Arguments& arguments, bool left, bool right) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("strip", arguments, {"chars"}, 0, 1));
  if (!bound.has(0) || bound.at(0).is_none()) {
    return Value(Stripped(text, &IsSpace, left, right));
  }
  TERMINUS_ASSIGN_OR_RETURN(const Text* const set, bound.TextAt(0));
  std::u32string characters;
  for (size_t at = 0; at < set->bytes.size();) {
    characters += tokenizer::NextCodePoint(set->bytes, at);
  }
  const auto inside = [&](char32_t c) { return characters.find(c) != std::u32string::npos; };
  return Value(Stripped(text, inside, left, right));
}

absl::StatusOr<Value> Partition(const Text& text, const Arguments& arguments, bool last) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("partition", arguments, {"sep"}, 1, 1));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const separator, bound.TextAt(0));
  if (separator->bytes.empty()) return Error("partition: an empty separator");
  const size_t found =
      last ? text.bytes.rfind(separator->bytes) : text.bytes.find(separator->bytes);
  const Value empty{std::string()};
  if (found == kNone) {
    return last ? Value::Tuple({empty, empty, Value(text)})
                : Value::Tuple({Value(text), empty, empty});
  }
  const size_t end = found + separator->bytes.size();
  return Value::Tuple({Value(Slice(text, 0, found)), Value(Slice(text, found, end)),
                       Value(Slice(text, end, text.bytes.size()))});
}

}  // namespace

absl::StatusOr<Value> FindMethod(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const int64_t found, Find(text, arguments, /*last=*/false));
  return Value(found);
}

absl::StatusOr<Value> LastFindMethod(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const int64_t found, Find(text, arguments, /*last=*/true));
  return Value(found);
}

absl::StatusOr<Value> IndexMethod(Context&, const Text& text, const Arguments& arguments) {
  return Index(text, arguments, /*last=*/false);
}

absl::StatusOr<Value> LastIndexMethod(Context&, const Text& text, const Arguments& arguments) {
  return Index(text, arguments, /*last=*/true);
}

absl::StatusOr<Value> CountMethod(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("count", arguments, {"sub", "start", "end"}, 1, 3));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const wanted, bound.TextAt(0));
  TERMINUS_ASSIGN_OR_RETURN(const Part part, PartOf(text, bound, 1));
  if (!part.exists) return Value(int64_t{0});
  const absl::string_view inside =
      absl::string_view(text.bytes).substr(part.begin, part.end - part.begin);
  if (wanted->bytes.empty()) return Value(CountCharacters(inside) + 1);
  int64_t count = 0;
  for (size_t at = inside.find(wanted->bytes); at != kNone;
       at = inside.find(wanted->bytes, at + wanted->bytes.size())) {
    ++count;
  }
  return Value(count);
}

absl::StatusOr<Value> StartsWithMethod(Context&, const Text& text, const Arguments& arguments) {
  return HasAffix(text, arguments, /*at_end=*/false);
}

absl::StatusOr<Value> EndsWithMethod(Context&, const Text& text, const Arguments& arguments) {
  return HasAffix(text, arguments, /*at_end=*/true);
}

absl::StatusOr<Value> StripMethod(Context&, const Text& text, const Arguments& arguments) {
  return Strip(text, arguments, true, true);
}

absl::StatusOr<Value> LeftStripMethod(Context&, const Text& text, const Arguments& arguments) {
  return Strip(text, arguments, true, false);
}

absl::StatusOr<Value> RightStripMethod(Context&, const Text& text, const Arguments& arguments) {
  return Strip(text, arguments, false, true);
}

absl::StatusOr<Value> PartitionMethod(Context&, const Text& text, const Arguments& arguments) {
  return Partition(text, arguments, /*last=*/false);
}

absl::StatusOr<Value> LastPartitionMethod(Context&, const Text& text, const Arguments& arguments) {
  return Partition(text, arguments, /*last=*/true);
}

absl::StatusOr<Value> RemovePrefixMethod(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("removeprefix", arguments, {"prefix"}, 1, 1));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const prefix, bound.TextAt(0));
  if (!absl::StartsWith(text.bytes, prefix->bytes)) return Value(text);
  return Value(Slice(text, prefix->bytes.size(), text.bytes.size()));
}

absl::StatusOr<Value> RemoveSuffixMethod(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("removesuffix", arguments, {"suffix"}, 1, 1));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const suffix, bound.TextAt(0));
  if (!absl::EndsWith(text.bytes, suffix->bytes)) return Value(text);
  return Value(Slice(text, 0, text.bytes.size() - suffix->bytes.size()));
}

Text StrippedOfSpace(const Text& text) { return Stripped(text, &IsSpace, true, true); }

absl::StatusOr<Text> Replaced(const Text& text, const Text& from, const Text& to, int64_t count) {
  TextBuilder builder;
  int64_t left = count < 0 ? std::numeric_limits<int64_t>::max() : count;
  size_t at = 0;
  if (from.bytes.empty()) {
    // Before each character, and at the end.
    for (const size_t offset : CharacterOffsets(text.bytes)) {
      builder.AppendSlice(text, at, offset);
      at = offset;
      if (left-- <= 0) break;
      builder.Append(to);
      TERMINUS_RETURN_IF_ERROR(CheckTextSize(builder.size()));
    }
  }
  for (size_t found = text.bytes.find(from.bytes);
       !from.bytes.empty() && found != kNone && left > 0;
       found = text.bytes.find(from.bytes, at), --left) {
    builder.AppendSlice(text, at, found);
    builder.Append(to);
    at = found + from.bytes.size();
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(builder.size()));
  }
  builder.AppendSlice(text, at, text.bytes.size());
  return builder.Take();
}

}  // namespace terminus::chat
