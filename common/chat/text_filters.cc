#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/filter_functions.h"
#include "common/chat/iteration.h"
#include "common/chat/json_writer.h"
#include "common/chat/percent_format.h"
#include "common/chat/represent.h"
#include "common/chat/text_methods.h"
#include "common/chat/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// A string as it is, marked safe or not; str() of other values.
absl::StatusOr<Text> SoftText(Context& context, const Value& value) {
  if (value.text() != nullptr) {
    TERMINUS_RETURN_IF_ERROR(context.Charge(value));
    return *value.text();
  }
  return TextOf(context, value);
}

// soft_str(value).name()
absl::StatusOr<Value> CallWithoutArguments(Context& context, absl::string_view name,
                                           const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make(name, arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(const Text text, SoftText(context, value));
  return CallTextMethod(context, name, text, {});
}

absl::StatusOr<Value> UpperFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  return CallWithoutArguments(context, "upper", value, arguments);
}

absl::StatusOr<Value> LowerFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  return CallWithoutArguments(context, "lower", value, arguments);
}

absl::StatusOr<Value> CapitalizeFilter(Context& context, const Value& value,
                                       const Arguments& arguments) {
  return CallWithoutArguments(context, "capitalize", value, arguments);
}

absl::StatusOr<Value> StringFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("string", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(Text text, SoftText(context, value));
  return Value(std::move(text));
}

absl::StatusOr<Value> TrimFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("trim", arguments, {"chars"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const Text text, SoftText(context, value));
  Arguments characters;
  if (bound.has(0)) characters.positional.push_back(bound.at(0));
  return CallTextMethod(context, "strip", text, characters);
}

absl::StatusOr<Value> CenterFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("center", arguments, {"width"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(0, 80));
  TERMINUS_ASSIGN_OR_RETURN(const Text text, SoftText(context, value));
  TERMINUS_ASSIGN_OR_RETURN(Text padded, Padded(text, width, Text(" "), true, true));
  padded.safe = text.safe;
  return Value(std::move(padded));
}

// Words begin at the start and behind white space and -({[<.
absl::StatusOr<Value> TitleFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("title", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(const Text text, SoftText(context, value));
  const auto separates = [](char32_t c) {
    return IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  TextBuilder builder;
  const std::string& bytes = text.bytes;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const bool separator = separates(tokenizer::NextCodePoint(bytes, at));
    const size_t first = at;
    while (at < bytes.size()) {
      size_t next = at;
      if (separates(tokenizer::NextCodePoint(bytes, next)) != separator) break;
      at = next;
    }
    builder.Append(Transform(Slice(text, begin, first), &Upper));
    builder.Append(Transform(Slice(text, first, at), &Lower));
  }
  return Value(builder.Take());
}

absl::StatusOr<Value> ReplaceFilter(Context& context, const Value& value,
                                    const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("replace", arguments, {"old", "new", "count"}, 2));
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context, value));
  TERMINUS_ASSIGN_OR_RETURN(const Text from, TextOf(context, bound.at(0)));
  TERMINUS_ASSIGN_OR_RETURN(const Text to, TextOf(context, bound.at(1)));
  int64_t count = -1;
  if (bound.has(2) && !bound.at(2).is_none()) {
    TERMINUS_ASSIGN_OR_RETURN(count, bound.IntegerOr(2, -1));
  }
  TERMINUS_ASSIGN_OR_RETURN(Text replaced, Replaced(text, from, to, count));
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(replaced.bytes.size()));
  return Value(std::move(replaced));
}

absl::StatusOr<Value> FormatFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return Error("format: expected arguments with names, or without");
  }
  TERMINUS_ASSIGN_OR_RETURN(const Text text, SoftText(context, value));
  if (arguments.named.empty()) {
    return PercentFormat(context, text, Value::Tuple(arguments.positional));
  }
  Dict named;
  for (const auto& [name, argument] : arguments.named) named.Set(name, argument);
  return PercentFormat(context, text, Value(std::move(named)));
}

absl::StatusOr<Value> IndentFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("indent", arguments, {"width", "first", "blank"}, 0));
  if (value.text() == nullptr) {
    return Error(absl::StrCat("indent: expected a string, not ", value.TypeName()));
  }
  Text indent("    ");
  if (bound.has(0) && bound.at(0).text() != nullptr) {
    indent = *bound.at(0).text();
  } else {
    TERMINUS_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(0, 4));
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(static_cast<size_t>(std::max<int64_t>(width, 0))));
    indent = Text(std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' '));
  }
  // Jinja adds a newline, which the lines lose again: an empty last line counts.
  const std::vector<Text> lines = Lines(Concatenate(*value.text(), Text("\n")), false);
  TextBuilder builder;
  if (bound.TruthyOr(1, false)) builder.Append(indent);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) {
      builder.Append("\n");
      if (bound.TruthyOr(2, false) || !lines[i].bytes.empty()) builder.Append(indent);
    }
    builder.Append(lines[i]);
    TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(lines[i].bytes.size()));
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(builder.size()));
  }
  Text made = builder.Take();
  made.safe = value.text()->safe;
  return Value(std::move(made));
}

absl::StatusOr<Value> TruncateFilter(Context& context, const Value& value,
                                     const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("truncate", arguments, {"length", "killwords", "end", "leeway"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t length, bound.IntegerOr(0, 255));
  Text end("...");
  if (bound.has(2)) {
    TERMINUS_ASSIGN_OR_RETURN(const Text* const given, bound.TextAt(2));
    end = *given;
  }
  int64_t leeway = 5;
  if (bound.has(3) && !bound.at(3).is_none()) {
    TERMINUS_ASSIGN_OR_RETURN(leeway, bound.IntegerOr(3, 0));
  }
  const int64_t kept = length - CountCharacters(end.bytes);
  if (kept < 0 || leeway < 0) return Error("truncate: expected a length of at least the end's");
  TERMINUS_ASSIGN_OR_RETURN(const int64_t size, LengthOf(value));
  // Without an overflow for a large length.
  if (size <= length || size - length <= leeway) return value;
  if (value.text() == nullptr || value.text()->safe || end.safe) {
    return Error(absl::StrCat("truncate: expected a string, not ", value.TypeName()));
  }
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  const std::vector<size_t> offsets = CharacterOffsets(value.text()->bytes);
  Text text = Slice(*value.text(), 0, offsets[static_cast<size_t>(kept)]);
  if (!bound.TruthyOr(1, false)) {
    const size_t space = text.bytes.rfind(' ');
    if (space != std::string::npos) text = Slice(text, 0, space);
  }
  return Value(Concatenate(text, end));
}

absl::StatusOr<Value> WordCountFilter(Context& context, const Value& value,
                                      const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("wordcount", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(const Text text, SoftText(context, value));
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.bytes.size();) {
    const char32_t c = tokenizer::NextCodePoint(text.bytes, at);
    const bool word = c == '_' || IsAlphabetic(c) || IsDecimal(c) || IsDigit(c) || IsNumeric(c);
    count += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value(count);
}

absl::StatusOr<Value> ToJsonFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const JsonStyle style, JsonStyleOf(bound));
  TERMINUS_ASSIGN_OR_RETURN(Text json, ToJson(context, value, style));
  return Value(std::move(json));
}

}  // namespace

const FilterTable& TextFilters() {
  static const auto& table = *new FilterTable{
      {"capitalize", CapitalizeFilter}, {"center", CenterFilter},
      {"format", FormatFilter},         {"indent", IndentFilter},
      {"lower", LowerFilter},           {"replace", ReplaceFilter},
      {"string", StringFilter},         {"title", TitleFilter},
      {"tojson", ToJsonFilter},         {"trim", TrimFilter},
      {"truncate", TruncateFilter},     {"upper", UpperFilter},
      {"wordcount", WordCountFilter},
  };
  return table;
}

}  // namespace terminus::chat
