#include "common/chat/json_writer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/chat/numbers.h"
#include "common/chat/operators.h"
#include "common/chat/represent.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// Empty when the character stands for itself.
std::string EscapeOf(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  const auto code = static_cast<uint32_t>(c);
  if (c < 0x20) return absl::StrFormat("\\u%04x", code);
  if (!ensure_ascii || c < 0x7f) return "";
  if (c < 0x10000) return absl::StrFormat("\\u%04x", code);
  return absl::StrFormat("\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                         0xdc00 + ((code - 0x10000) & 0x3ff));
}

std::string NumberText(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return FloatText(number);
}

class JsonWriter {
 public:
  JsonWriter(Context& context, const JsonStyle& style) : context_(context), style_(style) {}

  absl::StatusOr<Text> Run(const Value& value) {
    TERMINUS_RETURN_IF_ERROR(Write(value));
    return out_.Take();
  }

 private:
  void WriteString(const Text& text) {
    out_.Append("\"");
    auto mark = text.marks.begin();
    for (size_t at = 0; at < text.bytes.size();) {
      const size_t from = at;
      const std::string escape =
          EscapeOf(tokenizer::NextCodePoint(text.bytes, at), style_.ensure_ascii);
      while (mark != text.marks.end() && mark->end <= from) ++mark;
      const absl::string_view written =
          escape.empty() ? absl::string_view(text.bytes).substr(from, at - from) : escape;
      if (mark != text.marks.end() && mark->begin <= from) {
        out_.AppendMarked(written);
      } else {
        out_.Append(written);
      }
    }
    out_.Append("\"");
  }

  absl::Status Write(const Value& value) {
    TERMINUS_RETURN_IF_ERROR(context_.Step());
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(out_.size()));
    if (value.text() != nullptr) {
      WriteString(*value.text());
    } else if (value.elements() != nullptr) {
      return WriteAll(*value.elements());
    } else if (value.dict() != nullptr) {
      return WriteDict(*value.dict());
    } else if (value.is_none()) {
      out_.Append("null");
    } else if (value.boolean() != nullptr) {
      out_.Append(*value.boolean() ? "true" : "false");
    } else if (value.integer() != nullptr) {
      out_.Append(absl::StrCat(*value.integer()));
    } else if (value.number() != nullptr) {
      out_.Append(NumberText(*value.number()));
    } else {
      return Error(absl::StrCat("tojson: ", value.TypeName(), " has no JSON"));
    }
    return absl::OkStatus();
  }

  void NewLine() {
    if (!style_.indent.has_value()) return;
    out_.Append("\n");
    for (int i = 0; i < depth_; ++i) out_.Append(*style_.indent);
  }

  absl::Status WriteAll(const List& elements) {
    out_.Append("[");
    ++depth_;
    for (size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) out_.Append(style_.item_separator);
      NewLine();
      TERMINUS_RETURN_IF_ERROR(Write(elements[i]));
    }
    --depth_;
    if (!elements.empty()) NewLine();
    out_.Append("]");
    return absl::OkStatus();
  }

  absl::StatusOr<Text> KeyText(const Value& key) {
    if (key.text() != nullptr) return *key.text();
    if (key.is_none()) return Text("null");
    if (key.boolean() != nullptr) return Text(*key.boolean() ? "true" : "false");
    if (key.integer() != nullptr) return Text(absl::StrCat(*key.integer()));
    if (key.number() != nullptr) return Text(NumberText(*key.number()));
    return Error(absl::StrCat("tojson: ", key.TypeName(), " is no key of JSON"));
  }

  absl::StatusOr<std::vector<std::pair<Value, Value>>> Sorted(const Dict& dict) {
    std::vector<std::pair<Value, Value>> entries = dict.entries();
    absl::Status status;
    // By the keys as they are, before they become text.
    std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
      if (!status.ok()) return false;
      const absl::StatusOr<bool> less = Compare(context_, "<", a.first, b.first);
      if (!less.ok()) status = less.status();
      return less.ok() && *less;
    });
    if (!status.ok()) return status;
    return entries;
  }

  absl::Status WriteDict(const Dict& dict) {
    std::vector<std::pair<Value, Value>> sorted;
    if (style_.sort_keys) {
      TERMINUS_ASSIGN_OR_RETURN(sorted, Sorted(dict));
    }
    out_.Append("{");
    ++depth_;
    bool first = true;
    for (const auto& [key, value] : style_.sort_keys ? sorted : dict.entries()) {
      if (!first) out_.Append(style_.item_separator);
      first = false;
      NewLine();
      TERMINUS_ASSIGN_OR_RETURN(const Text text, KeyText(key));
      WriteString(text);
      out_.Append(style_.key_separator);
      TERMINUS_RETURN_IF_ERROR(Write(value));
    }
    --depth_;
    if (!first) NewLine();
    out_.Append("}");
    return absl::OkStatus();
  }

  Context& context_;
  const JsonStyle& style_;
  TextBuilder out_;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<JsonStyle> JsonStyleOf(const Bound& bound) {
  JsonStyle style;
  style.ensure_ascii = bound.TruthyOr(0, false);
  style.sort_keys = bound.TruthyOr(3, false);
  if (bound.has(1) && !bound.at(1).is_none()) {
    if (bound.at(1).text() != nullptr) {
      style.indent = *bound.at(1).text();
    } else {
      constexpr int64_t kMostIndent = 1000;
      TERMINUS_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(1, 0));
      if (width > kMostIndent) return Error(absl::StrCat("tojson: an indent over ", kMostIndent));
      style.indent = Text(std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' '));
    }
    style.item_separator = Text(",");
  }
  if (bound.has(2) && !bound.at(2).is_none()) {
    const List* const separators = bound.at(2).elements();
    if (separators == nullptr || separators->size() != 2 || (*separators)[0].text() == nullptr ||
        (*separators)[1].text() == nullptr) {
      return Error("tojson: separators are a list of two strings");
    }
    style.item_separator = *(*separators)[0].text();
    style.key_separator = *(*separators)[1].text();
  }
  return style;
}

absl::StatusOr<Text> ToJson(Context& context, const Value& value, const JsonStyle& style) {
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  return JsonWriter(context, style).Run(value);
}

}  // namespace terminus::chat
