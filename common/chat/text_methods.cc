#include "common/chat/text_methods.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/brace_format.h"
#include "common/chat/iteration.h"
#include "common/chat/text_search.h"
#include "common/chat/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

using Method = absl::StatusOr<Value> (*)(Context&, const Text&, const Arguments&);

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// A method without arguments that maps the text.
template <std::string (*kApply)(absl::string_view)>
absl::StatusOr<Value> Map(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("this method", arguments, {}, 0).status());
  return Value(Transform(text, kApply));
}

// A method that asks whether the text has characters, each of which is such one.
template <bool (*kHolds)(char32_t)>
absl::StatusOr<Value> All(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("this method", arguments, {}, 0).status());
  for (size_t at = 0; at < text.bytes.size();) {
    if (!kHolds(tokenizer::NextCodePoint(text.bytes, at))) return Value(false);
  }
  return Value(!text.bytes.empty());
}

bool IsAlphanumeric(char32_t c) {
  return IsAlphabetic(c) || IsDecimal(c) || IsDigit(c) || IsNumeric(c);
}

absl::StatusOr<Value> IsAscii(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("isascii", arguments, {}, 0).status());
  return Value(text.ascii());
}

absl::StatusOr<Value> AllPrintable(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("isprintable", arguments, {}, 0).status());
  for (size_t at = 0; at < text.bytes.size();) {
    if (!IsPrintable(tokenizer::NextCodePoint(text.bytes, at))) return Value(false);
  }
  return Value(true);
}

absl::StatusOr<Value> IsIdentifier(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("isidentifier", arguments, {}, 0).status());
  for (size_t at = 0; at < text.bytes.size();) {
    const bool first = at == 0;
    const char32_t c = tokenizer::NextCodePoint(text.bytes, at);
    if (first ? !BeginsName(c) : !ContinuesName(c)) return Value(false);
  }
  return Value(!text.bytes.empty());
}

// islower() and isupper(): some character has a case, and none has the other.
template <bool kLower>
absl::StatusOr<Value> HasCase(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("this method", arguments, {}, 0).status());
  bool found = false;
  for (size_t at = 0; at < text.bytes.size();) {
    const char32_t c = tokenizer::NextCodePoint(text.bytes, at);
    if ((kLower ? IsUpper(c) : IsLower(c)) || IsTitle(c)) return Value(false);
    found |= kLower ? IsLower(c) : IsUpper(c);
  }
  return Value(found);
}

absl::StatusOr<Value> IsTitled(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("istitle", arguments, {}, 0).status());
  bool found = false;
  bool inside = false;
  for (size_t at = 0; at < text.bytes.size();) {
    const char32_t c = tokenizer::NextCodePoint(text.bytes, at);
    if (IsUpper(c) || IsTitle(c)) {
      if (inside) return Value(false);
      inside = found = true;
    } else if (IsLower(c)) {
      if (!inside) return Value(false);
      found = true;
    } else {
      inside = false;
    }
  }
  return Value(found);
}

template <bool kLeft, bool kRight>
absl::StatusOr<Value> Pad(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("center, ljust or rjust", arguments,
                                                           {"width", "fillchar"}, 1, 2));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(0, 0));
  Text fill(" ");
  if (bound.has(1)) {
    TERMINUS_ASSIGN_OR_RETURN(const Text* const given, bound.TextAt(1));
    fill = *given;
  }
  TERMINUS_ASSIGN_OR_RETURN(Text padded, Padded(text, width, fill, kLeft, kRight));
  return Value(std::move(padded));
}

absl::StatusOr<Value> ZeroFill(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("zfill", arguments, {"width"}, 1, 1));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(0, 0));
  const bool has_sign = !text.bytes.empty() && (text.bytes[0] == '+' || text.bytes[0] == '-');
  const size_t sign = has_sign ? 1 : 0;
  TextBuilder builder;
  builder.AppendSlice(text, 0, sign);
  TERMINUS_ASSIGN_OR_RETURN(const Text padded,
                            Padded(Slice(text, sign, text.bytes.size()),
                                   width - static_cast<int64_t>(sign), Text("0"), true, false));
  builder.Append(padded);
  return Value(builder.Take());
}

absl::StatusOr<Value> ExpandTabs(Context&, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("expandtabs", arguments, {"tabsize"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t size, bound.IntegerOr(0, 8));
  TextBuilder builder;
  int64_t column = 0;
  for (size_t at = 0; at < text.bytes.size();) {
    const size_t from = at;
    const char32_t c = tokenizer::NextCodePoint(text.bytes, at);
    if (c == '\t') {
      const int64_t spaces = size > 0 ? size - column % size : 0;
      TERMINUS_RETURN_IF_ERROR(CheckTextSize(builder.size() + static_cast<size_t>(spaces)));
      builder.Append(std::string(static_cast<size_t>(spaces), ' '));
      column += spaces;
    } else {
      builder.AppendSlice(text, from, at);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return Value(builder.Take());
}

absl::StatusOr<Value> Join(Context& context, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("join", arguments, {"iterable"}, 1, 1));
  return JoinTexts(context, text, bound.at(0));
}

absl::StatusOr<Value> Replace(Context& context, const Text& text, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("replace", arguments, {"old", "new", "count"}, 2, 3));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const from, bound.TextAt(0));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const to, bound.TextAt(1));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t count, bound.IntegerOr(2, -1));
  TERMINUS_ASSIGN_OR_RETURN(Text replaced, Replaced(text, *from, *to, count));
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(replaced.bytes.size()));
  return Value(std::move(replaced));
}

const std::map<absl::string_view, Method>& Methods() {
  static const auto& methods = *new std::map<absl::string_view, Method>{
      {"capitalize", Map<Capitalized>},
      {"casefold", Map<Casefolded>},
      {"center", Pad<true, true>},
      {"count", CountMethod},
      {"endswith", EndsWithMethod},
      {"expandtabs", ExpandTabs},
      {"find", FindMethod},
      {"format", FormatMethod},
      {"format_map", FormatMapMethod},
      {"index", IndexMethod},
      {"isalnum", All<IsAlphanumeric>},
      {"isalpha", All<IsAlphabetic>},
      {"isascii", IsAscii},
      {"isdecimal", All<IsDecimal>},
      {"isdigit", All<IsDigit>},
      {"isidentifier", IsIdentifier},
      {"islower", HasCase<true>},
      {"isnumeric", All<IsNumeric>},
      {"isprintable", AllPrintable},
      {"isspace", All<IsSpace>},
      {"istitle", IsTitled},
      {"isupper", HasCase<false>},
      {"join", Join},
      {"ljust", Pad<false, true>},
      {"lower", Map<Lower>},
      {"lstrip", LeftStripMethod},
      {"partition", PartitionMethod},
      {"removeprefix", RemovePrefixMethod},
      {"removesuffix", RemoveSuffixMethod},
      {"replace", Replace},
      {"rfind", LastFindMethod},
      {"rindex", LastIndexMethod},
      {"rjust", Pad<true, false>},
      {"rpartition", LastPartitionMethod},
      {"rsplit", LastSplitMethod},
      {"rstrip", RightStripMethod},
      {"split", SplitMethod},
      {"splitlines", SplitLinesMethod},
      {"startswith", StartsWithMethod},
      {"strip", StripMethod},
      {"swapcase", Map<CaseSwapped>},
      {"title", Map<Titled>},
      {"upper", Map<Upper>},
      {"zfill", ZeroFill},
  };
  return methods;
}

// Methods of Markup escape their arguments: those are not supported.
bool EscapesArguments(absl::string_view name) {
  return name == "format" || name == "format_map" || name == "join" || name == "replace" ||
         name == "ljust" || name == "rjust" || name == "center";
}

Value MadeSafe(const Value& value) {
  if (value.text() != nullptr) {
    Text text = *value.text();
    text.safe = true;
    return Value(std::move(text));
  }
  if (value.elements() == nullptr) return value;
  List safe;
  for (const Value& element : *value.elements()) safe.push_back(MadeSafe(element));
  return value.list() != nullptr ? Value(std::move(safe)) : Value::Tuple(std::move(safe));
}

}  // namespace

bool IsTextMethod(absl::string_view name) { return Methods().count(name) > 0; }

absl::StatusOr<Value> CallTextMethod(Context& context, absl::string_view name, const Text& text,
                                     const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(text.bytes.size()));
  if (!text.safe) return Methods().at(name)(context, text, arguments);
  if (EscapesArguments(name)) {
    return Error(absl::StrCat("'", name, "' of a string that was marked safe is not supported"));
  }
  TERMINUS_ASSIGN_OR_RETURN(const Value value, Methods().at(name)(context, text, arguments));
  return MadeSafe(value);
}

absl::StatusOr<Text> Padded(const Text& text, int64_t width, const Text& fill, bool left,
                            bool right) {
  if (CountCharacters(fill.bytes) != 1) return Error("expected one character to fill with");
  const int64_t missing = width - CountCharacters(text.bytes);
  if (missing <= 0) return text;
  if (static_cast<uint64_t>(missing) > kMaxWeight) return CheckTextSize(kMaxWeight + 1);
  // As str.center() shares an odd number of characters out.
  const int64_t before = !right ? missing : !left ? 0 : missing / 2 + (missing & width & 1);
  TextBuilder builder;
  for (int64_t i = 0; i < before; ++i) builder.Append(fill);
  builder.Append(text);
  for (int64_t i = before; i < missing; ++i) builder.Append(fill);
  TERMINUS_RETURN_IF_ERROR(CheckTextSize(builder.size()));
  return builder.Take();
}

absl::StatusOr<Value> JoinTexts(Context& context, const Text& separator, const Value& elements) {
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(elements));
  TextBuilder builder;
  Value element;
  for (bool first = true;; first = false) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
    if (!more) return Value(builder.Take());
    if (element.text() == nullptr) {
      return Error(absl::StrCat("join: expected strings, not ", element.TypeName()));
    }
    if (!first) builder.Append(separator);
    builder.Append(*element.text());
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(builder.size()));
  }
}

}  // namespace terminus::chat
