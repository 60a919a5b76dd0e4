#include "common/chat/text_functions.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// str.isspace().
bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

// `inside` says which characters go.
template <typename Inside>
absl::string_view Stripped(absl::string_view text, Inside inside, bool left, bool right) {
  while (left && !text.empty()) {
    size_t next = 0;
    if (!inside(tokenizer::NextCodePoint(text, next))) break;
    text.remove_prefix(next);
  }
  while (right && !text.empty() && inside(tokenizer::PreviousCodePoint(text, text.size()))) {
    while ((static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
    text.remove_suffix(1);
  }
  return text;
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); });
}

icu::UnicodeString FromUtf8(absl::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::string Upper(absl::string_view text) {
  if (IsAscii(text)) return absl::AsciiStrToUpper(text);
  std::string out;
  return FromUtf8(text).toUpper(icu::Locale::getRoot()).toUTF8String(out);
}

std::string Lower(absl::string_view text) {
  if (IsAscii(text)) return absl::AsciiStrToLower(text);
  std::string out;
  return FromUtf8(text).toLower(icu::Locale::getRoot()).toUTF8String(out);
}

// The title case of one character; of those with more than one letter only the first is a capital.
std::string TitleCase(absl::string_view character) {
  std::string upper = Upper(character);
  if (CountCharacters(upper) > 1) {
    size_t first = 0;
    tokenizer::NextCodePoint(upper, first);
    return upper.substr(0, first) + Lower(absl::string_view(upper).substr(first));
  }
  size_t at = 0;
  std::string title;
  tokenizer::AppendUtf8(u_totitle(static_cast<UChar32>(tokenizer::NextCodePoint(character, at))),
                        title);
  return title;
}

// Each character as `capital` has it at the beginning and where `begins_word` holds of the one
// before it, else in lower case.
std::string WithCapitals(absl::string_view text, std::string (*capital)(absl::string_view),
                         bool (*begins_word)(char32_t before)) {
  std::string out;
  bool begins = true;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const char32_t c = tokenizer::NextCodePoint(text, at);
    const absl::string_view character = text.substr(from, at - from);
    out += begins ? capital(character) : Lower(character);
    begins = begins_word(c);
  }
  return out;
}

// The one argument that a method takes.
absl::StatusOr<std::string> OnlyString(const std::string& name, const Arguments& arguments) {
  if (arguments.size() != 1 || arguments[0].string() == nullptr) {
    return Error(absl::StrCat(name, ": expected one string"));
  }
  return *arguments[0].string();
}

absl::StatusOr<Value> Strip(const std::string& name, absl::string_view text,
                            const Arguments& arguments) {
  const bool left = name != "rstrip";
  const bool right = name != "lstrip";
  if (arguments.empty() || (arguments.size() == 1 && arguments[0].is_none())) {
    return Value(std::string(Stripped(text, &IsSpace, left, right)));
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string set, OnlyString(name, arguments));
  std::u32string characters;
  for (size_t at = 0; at < set.size();) characters += tokenizer::NextCodePoint(set, at);
  const auto inside = [&](char32_t c) { return characters.find(c) != std::u32string::npos; };
  return Value(std::string(Stripped(text, inside, left, right)));
}

// Parts between white space.
List Words(absl::string_view text) {
  List words;
  size_t word = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t from = at;
    const bool cut = at == text.size() || IsSpace(tokenizer::NextCodePoint(text, at));
    if (cut && word < from) words.push_back(Value(std::string(text.substr(word, from - word))));
    if (from == text.size()) break;
    if (cut) word = at;
  }
  return words;
}

absl::StatusOr<Value> Split(const std::string& text, const Arguments& arguments) {
  if (arguments.empty()) return Value(Words(text));
  if (arguments[0].string() == nullptr || arguments[0].string()->empty() || arguments.size() > 2 ||
      (arguments.size() == 2 && arguments[1].integer() == nullptr)) {
    return Error("split: expected a separator that is not empty, and a whole number or nothing");
  }
  const int64_t limit = arguments.size() == 2 ? *arguments[1].integer() : -1;
  const auto separator = absl::ByString(*arguments[0].string());
  std::vector<absl::string_view> parts;
  if (limit >= 0) {
    const auto most = std::min<int64_t>(limit, std::numeric_limits<int>::max());
    parts = absl::StrSplit(text, absl::MaxSplits(separator, static_cast<int>(most)));
  } else {
    parts = absl::StrSplit(text, separator);
  }
  List list;
  for (const absl::string_view part : parts) list.push_back(Value(std::string(part)));
  return Value(std::move(list));
}

absl::StatusOr<Value> Replace(const std::string& text, const Arguments& arguments) {
  const std::string* const from = arguments.size() == 2 ? arguments[0].string() : nullptr;
  const std::string* const to = arguments.size() == 2 ? arguments[1].string() : nullptr;
  if (from == nullptr || to == nullptr || from->empty()) {
    return Error("replace: expected two strings, the first not empty");
  }
  size_t bytes = text.size();
  for (size_t at = text.find(*from); at != std::string::npos; at = text.find(*from, at)) {
    at += from->size();
    bytes += to->size();
  }
  TERMINUS_RETURN_IF_ERROR(CheckTextSize(bytes));
  return Value(absl::StrReplaceAll(text, {{*from, *to}}));
}

}  // namespace

absl::Status CheckTextSize(size_t bytes) {
  if (bytes <= kMaxWeight) return absl::OkStatus();
  return Error(absl::StrCat("more than ", kMaxWeight, " bytes of text"));
}

int64_t CountCharacters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::vector<std::string> Characters(absl::string_view text) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    tokenizer::NextCodePoint(text, at);
    characters.emplace_back(text.substr(from, at - from));
  }
  return characters;
}

std::string TitleOfFilter(absl::string_view text) {
  return WithCapitals(text, &Upper, [](char32_t before) {
    return IsSpace(before) || before == '-' || before == '(' || before == '{' || before == '[' ||
           before == '<';
  });
}

absl::StatusOr<Value> Repeated(const std::string& text, int64_t times) {
  if (times <= 0 || text.empty()) return Value(std::string());
  if (static_cast<uint64_t>(times) > kMaxWeight / text.size()) return CheckTextSize(kMaxWeight + 1);
  std::string out;
  for (int64_t i = 0; i < times; ++i) out += text;
  return Value(std::move(out));
}

absl::StatusOr<Value> Joined(const List& list, absl::string_view separator) {
  std::string out;
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) absl::StrAppend(&out, separator);
    out += list[i].ToText();
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(out.size()));
  }
  return Value(std::move(out));
}

absl::StatusOr<Value> CallTextMethod(const std::string& name, const std::string& text,
                                     const Arguments& arguments) {
  if (name == "strip" || name == "lstrip" || name == "rstrip") return Strip(name, text, arguments);
  if (name == "startswith" || name == "endswith") {
    TERMINUS_ASSIGN_OR_RETURN(const std::string affix, OnlyString(name, arguments));
    return Value(name == "startswith" ? absl::StartsWith(text, affix)
                                      : absl::EndsWith(text, affix));
  }
  if (name == "split") return Split(text, arguments);
  if (name == "replace") return Replace(text, arguments);
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize") {
    if (!arguments.empty()) return Error(absl::StrCat(name, ": expected no arguments"));
    if (name == "upper") return Value(Upper(text));
    if (name == "lower") return Value(Lower(text));
    if (name == "capitalize") {
      return Value(WithCapitals(text, &TitleCase, [](char32_t) { return false; }));
    }
    return Value(WithCapitals(text, &TitleCase, [](char32_t before) {
      return !u_hasBinaryProperty(static_cast<UChar32>(before), UCHAR_CASED);
    }));
  }
  return Error(absl::StrCat("a string has no supported method '", name, "'"));
}

}  // namespace terminus::chat
