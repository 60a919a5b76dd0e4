#include "common/chat/value.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace terminus::chat {
namespace {

// The shortest text that is read as the same number, as Python's repr.
std::string NumberText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::floor(value) == value && std::abs(value) < 1e16) {
    return absl::StrFormat("%.1f", value);
  }
  std::string text;
  for (int digits = 15; digits <= 17; ++digits) {
    text = absl::StrFormat("%.*g", digits, value);
    if (std::strtod(text.c_str(), nullptr) == value) break;
  }
  return text;
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
    if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&out, "\\x%02x", c);
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
  for (const auto& [key, element] : value.dict()->entries()) {
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

// What an element costs beside its own weight.
constexpr size_t kElementWeight = 16;

}  // namespace

Dict::Dict(std::initializer_list<std::pair<std::string, Value>> entries) {
  for (const auto& [key, value] : entries) Set(key, value);
}

const Value* Dict::Find(absl::string_view key) const {
  const auto found = places_.find(std::string_view(key.data(), key.size()));
  return found == places_.end() ? nullptr : &entries_[found->second].second;
}

void Dict::Set(const std::string& key, Value value) {
  const auto [place, is_new] = places_.try_emplace(key, entries_.size());
  if (is_new) {
    entries_.emplace_back(key, std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

Value::Value(List list) {
  auto made = std::make_shared<Container<List>>();
  for (const Value& element : list) {
    made->weight += kElementWeight + element.weight();
    made->depth = std::max(made->depth, 1 + element.depth());
  }
  made->elements = std::move(list);
  data_ = SharedList(std::move(made));
}

Value::Value(Dict dict) {
  auto made = std::make_shared<Container<Dict>>();
  for (const auto& [key, element] : dict.entries()) {
    made->weight += kElementWeight + key.size() + element.weight();
    made->depth = std::max(made->depth, 1 + element.depth());
  }
  made->elements = std::move(dict);
  data_ = SharedDict(std::move(made));
}

Value Value::Namespace(Dict members) {
  Value made;
  made.data_ = std::make_shared<Dict>(std::move(members));
  return made;
}

const std::string* Value::string() const {
  const auto* held = std::get_if<std::shared_ptr<const std::string>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

const List* Value::list() const {
  const auto* held = std::get_if<SharedList>(&data_);
  return held == nullptr ? nullptr : &(*held)->elements;
}

const Dict* Value::dict() const {
  const auto* held = std::get_if<SharedDict>(&data_);
  return held == nullptr ? nullptr : &(*held)->elements;
}

Dict* Value::namespace_members() const {
  const auto* held = std::get_if<std::shared_ptr<Dict>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

size_t Value::weight() const {
  if (string() != nullptr) return 1 + string()->size();
  if (const auto* held = std::get_if<SharedList>(&data_)) return (*held)->weight;
  if (const auto* held = std::get_if<SharedDict>(&data_)) return (*held)->weight;
  return 1;
}

int Value::depth() const {
  if (const auto* held = std::get_if<SharedList>(&data_)) return (*held)->depth;
  if (const auto* held = std::get_if<SharedDict>(&data_)) return (*held)->depth;
  return 0;
}

bool Value::Truthy() const {
  if (is_undefined() || is_none()) return false;
  if (boolean() != nullptr) return *boolean();
  if (integer() != nullptr) return *integer() != 0;
  if (number() != nullptr) return *number() != 0;
  if (string() != nullptr) return !string()->empty();
  if (list() != nullptr) return !list()->empty();
  return dict() == nullptr || !dict()->entries().empty();
}

std::string Value::ToText() const {
  if (is_undefined()) return "";
  if (is_none()) return "None";
  if (boolean() != nullptr) return *boolean() ? "True" : "False";
  if (integer() != nullptr) return absl::StrCat(*integer());
  if (number() != nullptr) return NumberText(*number());
  if (string() != nullptr) return *string();
  if (namespace_members() != nullptr) return "<Namespace>";
  return Joined(
      *this, Represented, +[](const std::string& key) { return Represented(Value(key)); });
}

std::string Value::ToJson() const {
  if (is_undefined() || is_none() || namespace_members() != nullptr) return "null";
  if (boolean() != nullptr) return *boolean() ? "true" : "false";
  if (string() != nullptr) return QuotedJson(*string());
  if (integer() != nullptr || number() != nullptr) return ToText();
  return Joined(
      *this, [](const Value& element) { return element.ToJson(); }, &QuotedJson);
}

absl::string_view Value::TypeName() const {
  constexpr absl::string_view kNames[] = {"undefined", "none", "boolean", "integer",  "number",
                                          "string",    "list", "dict",    "namespace"};
  return kNames[data_.index()];
}

bool Value::operator==(const Value& other) const {
  if (list() != nullptr && other.list() != nullptr) return *list() == *other.list();
  if (string() != nullptr && other.string() != nullptr) return *string() == *other.string();
  if (dict() != nullptr && other.dict() != nullptr) {
    const auto& entries = dict()->entries();
    return entries.size() == other.dict()->entries().size() &&
           std::all_of(entries.begin(), entries.end(), [&](const auto& entry) {
             const Value* const value = other.dict()->Find(entry.first);
             return value != nullptr && *value == entry.second;
           });
  }
  const std::optional<double> left = AsNumber(*this);
  const std::optional<double> right = AsNumber(other);
  if (left && right) return *left == *right;
  return data_ == other.data_;
}

}  // namespace terminus::chat
