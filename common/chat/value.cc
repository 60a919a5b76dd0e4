#include "common/chat/value.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace terminus::chat {
namespace {

std::string NumberText(double value) {
  if (std::floor(value) == value && std::abs(value) < 1e16) {
    return absl::StrFormat("%.1f", value);
  }
  return absl::StrFormat("%.17g", value);
}

// As json.dumps with ensure_ascii off.
std::string QuotedJson(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(&out, "\\u%04x", c);
        } else {
          out.push_back(c);
        }
    }
  }
  return out + "\"";
}

// As Python's repr: single quotes unless only they are inside.
std::string Represented(const Value& value) {
  const std::string* text = value.string();
  if (text == nullptr) {
    return value.ToText();
  }
  const char quote =
      text->find('\'') != std::string::npos && text->find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : *text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == quote || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  return out + quote;
}

// A list or dict, its elements and keys as text.
template <typename Write>
std::string Joined(const Value& value, Write write, std::string (*key_text)(const std::string&)) {
  std::string out;
  if (const List* list = value.list(); list != nullptr) {
    for (const Value& element : *list) {
      absl::StrAppend(&out, out.empty() ? "" : ", ", write(element));
    }
    return absl::StrCat("[", out, "]");
  }
  for (const auto& [key, element] : *value.dict()) {
    absl::StrAppend(&out, out.empty() ? "" : ", ", key_text(key), ": ", write(element));
  }
  return absl::StrCat("{", out, "}");
}

// In comparisons true is 1, as in Python.
std::optional<double> AsNumber(const Value& value) {
  if (value.integer() != nullptr) return static_cast<double>(*value.integer());
  if (value.boolean() != nullptr) return *value.boolean() ? 1 : 0;
  if (value.number() != nullptr) return *value.number();
  return std::nullopt;
}

}  // namespace

bool Value::Truthy() const {
  if (is_undefined() || is_none()) return false;
  if (boolean() != nullptr) return *boolean();
  if (integer() != nullptr) return *integer() != 0;
  if (number() != nullptr) return *number() != 0;
  if (string() != nullptr) return !string()->empty();
  return list() != nullptr ? !list()->empty() : !dict()->empty();
}

std::string Value::ToText() const {
  if (is_undefined()) return "";
  if (is_none()) return "None";
  if (boolean() != nullptr) return *boolean() ? "True" : "False";
  if (integer() != nullptr) return absl::StrCat(*integer());
  if (number() != nullptr) return NumberText(*number());
  if (string() != nullptr) return *string();
  return Joined(
      *this, Represented, +[](const std::string& key) { return Represented(Value(key)); });
}

std::string Value::ToJson() const {
  if (is_undefined() || is_none()) return "null";
  if (boolean() != nullptr) return *boolean() ? "true" : "false";
  if (string() != nullptr) return QuotedJson(*string());
  if (integer() != nullptr || number() != nullptr) return ToText();
  return Joined(
      *this, [](const Value& element) { return element.ToJson(); }, &QuotedJson);
}

absl::string_view Value::TypeName() const {
  constexpr absl::string_view kNames[] = {"undefined", "none",   "boolean", "integer",
                                          "number",    "string", "list",    "dict"};
  return kNames[data_.index()];
}

bool Value::operator==(const Value& other) const {
  if (list() != nullptr && other.list() != nullptr) return *list() == *other.list();
  if (dict() != nullptr && other.dict() != nullptr) return *dict() == *other.dict();
  const std::optional<double> left = AsNumber(*this);
  const std::optional<double> right = AsNumber(other);
  if (left && right) return *left == *right;
  return data_ == other.data_;
}

}  // namespace terminus::chat
