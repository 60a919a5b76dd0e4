#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/chat/filter_functions.h"
#include "common/chat/iteration.h"
#include "common/chat/markup.h"
#include "common/chat/represent.h"
#include "common/chat/text_methods.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

Value Safe(Text text) {
  text.safe = true;
  return Value(std::move(text));
}

// Markup as it is; other values escaped.
absl::StatusOr<Text> EscapedOnce(Context& context, const Value& value) {
  if (value.text() != nullptr && value.text()->safe) return *value.text();
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context, value));
  Text escaped = Escaped(text);
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(escaped.bytes.size()));
  return escaped;
}

absl::StatusOr<Value> EscapeFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("escape", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(Text text, EscapedOnce(context, value));
  return Safe(std::move(text));
}

absl::StatusOr<Value> ForceEscapeFilter(Context& context, const Value& value,
                                        const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("forceescape", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context, value));
  return Safe(Escaped(text));
}

absl::StatusOr<Value> SafeFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("safe", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(Text text, TextOf(context, value));
  return Safe(std::move(text));
}

absl::StatusOr<Value> StripTagsFilter(Context& context, const Value& value,
                                      const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("striptags", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context, value));
  const absl::string_view bytes = text.bytes;
  TextBuilder builder;
  size_t at = 0;
  while (true) {
    const size_t begin = bytes.find('<', at);
    if (begin == absl::string_view::npos) break;
    const bool comment = absl::StartsWith(bytes.substr(begin), "<!--");
    const size_t end = comment ? bytes.find("-->", begin + 4) : bytes.find('>', begin);
    if (end == absl::string_view::npos) break;
    builder.AppendSlice(text, at, begin);
    at = end + (comment ? 3 : 1);
  }
  builder.AppendSlice(text, at, bytes.size());
  TERMINUS_ASSIGN_OR_RETURN(const Value joined,
                            JoinTexts(context, Text(" "), Value(Words(builder.Take()))));
  if (joined.text()->bytes.find('&') != std::string::npos) {
    return Error("striptags: entities of HTML are not supported");
  }
  return joined;
}

// The text of a URL: as one of a path, or of a query.
absl::StatusOr<std::string> Quoted(Context& context, const Value& value, bool query) {
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context, value));
  std::string out;
  for (const char c : text.bytes) {
    if (absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' || c == '~' ||
        (c == '/' && !query)) {
      out.push_back(c);
    } else if (c == ' ' && query) {
      out.push_back('+');
    } else {
      absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(out.size()));
  return out;
}

absl::StatusOr<Value> UrlEncodeFilter(Context& context, const Value& value,
                                      const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("urlencode", arguments, {}, 0).status());
  std::string out;
  if (value.text() != nullptr || !IsIterable(value)) {
    TERMINUS_ASSIGN_OR_RETURN(out, Quoted(context, value, /*query=*/false));
  } else {
    TERMINUS_ASSIGN_OR_RETURN(
        const List pairs,
        Collect(context,
                value.dict() != nullptr ? Value::View(value, Value::ViewKind::kItems) : value));
    for (const Value& pair : pairs) {
      TERMINUS_ASSIGN_OR_RETURN(const List parts, Collect(context, pair));
      if (parts.size() != 2) return Error("urlencode: expected pairs");
      TERMINUS_ASSIGN_OR_RETURN(const std::string key, Quoted(context, parts[0], true));
      TERMINUS_ASSIGN_OR_RETURN(const std::string shown, Quoted(context, parts[1], true));
      absl::StrAppend(&out, out.empty() ? "" : "&", key, "=", shown);
      TERMINUS_RETURN_IF_ERROR(CheckTextSize(out.size()));
    }
  }
  // Which of its bytes come from a message is not kept.
  return Value(Text::FromMessage(std::move(out)));
}

absl::StatusOr<Value> XmlAttributesFilter(Context& context, const Value& value,
                                          const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("xmlattr", arguments, {"autospace"}, 0));
  if (value.dict() == nullptr) return Error("xmlattr: expected a dict");
  TextBuilder builder;
  for (const auto& [key, shown] : value.dict()->entries()) {
    if (shown.is_none() || shown.is_undefined()) continue;
    if (key.text() == nullptr ||
        key.text()->bytes.find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      return Error("xmlattr: a key that is no attribute's name");
    }
    if (builder.size() > 0 || bound.TruthyOr(0, true)) builder.Append(" ");
    TERMINUS_ASSIGN_OR_RETURN(const Text name, EscapedOnce(context, key));
    TERMINUS_ASSIGN_OR_RETURN(const Text text, EscapedOnce(context, shown));
    builder.Append(name);
    builder.Append("=\"");
    builder.Append(text);
    builder.Append("\"");
  }
  return Value(builder.Take());
}

}  // namespace

const FilterTable& HtmlFilters() {
  static const auto& table = *new FilterTable{
      {"e", EscapeFilter},
      {"escape", EscapeFilter},
      {"forceescape", ForceEscapeFilter},
      {"safe", SafeFilter},
      {"striptags", StripTagsFilter},
      {"urlencode", UrlEncodeFilter},
      {"xmlattr", XmlAttributesFilter},
  };
  return table;
}

}  // namespace terminus::chat
