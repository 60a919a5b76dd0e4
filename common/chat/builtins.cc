#include "common/chat/builtins.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace terminus::chat {
namespace {

constexpr absl::string_view kSpaces = " \t\n\r\v\f";

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

const std::string* StringAt(const Arguments& arguments, size_t i) {
  return i < arguments.size() ? arguments[i].string() : nullptr;
}

std::string Strip(absl::string_view text, const Arguments& arguments, bool left, bool right) {
  const std::string* given = StringAt(arguments, 0);
  const absl::string_view set = given != nullptr ? absl::string_view(*given) : kSpaces;
  if (left) text.remove_prefix(std::min(text.find_first_not_of(set), text.size()));
  if (right) {
    const size_t last = text.find_last_not_of(set);
    text = text.substr(0, last == absl::string_view::npos ? 0 : last + 1);
  }
  return std::string(text);
}

std::string Capitalized(std::string text) {
  absl::AsciiStrToLower(&text);
  if (!text.empty()) text[0] = absl::ascii_toupper(text[0]);
  return text;
}

std::string Title(std::string text) {
  bool inside = false;
  for (char& c : text) {
    c = inside ? absl::ascii_tolower(c) : absl::ascii_toupper(c);
    inside = absl::ascii_isalnum(c) || (static_cast<unsigned char>(c) & 0x80) != 0;
  }
  return text;
}

// Characters, as Python counts them.
int64_t Length(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

// A string's characters.
std::vector<std::string> Characters(const std::string& text) {
  std::vector<std::string> characters;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 || characters.empty()) {
      characters.emplace_back();
    }
    characters.back().push_back(c);
  }
  return characters;
}

absl::StatusOr<Value> Split(const std::string& text, const Arguments& arguments) {
  List parts;
  const std::string* separator = StringAt(arguments, 0);
  if (separator == nullptr) {
    for (absl::string_view part :
         absl::StrSplit(text, absl::ByAnyChar(kSpaces), absl::SkipEmpty())) {
      parts.push_back(Value(std::string(part)));
    }
    return Value(std::move(parts));
  }
  if (separator->empty()) return Error("split: empty separator");
  const int64_t* limit = arguments.size() > 1 ? arguments[1].integer() : nullptr;
  std::vector<std::string> found;
  if (limit != nullptr && *limit >= 0) {
    found = absl::StrSplit(
        text, absl::MaxSplits(*separator, static_cast<int>(std::min<int64_t>(*limit, 1 << 30))));
  } else {
    found = absl::StrSplit(text, *separator);
  }
  for (std::string& part : found) parts.push_back(Value(std::move(part)));
  return Value(std::move(parts));
}

bool AnyAffix(const Arguments& arguments, bool (*matches)(absl::string_view, absl::string_view),
              const std::string& text) {
  if (const std::string* affix = StringAt(arguments, 0); affix != nullptr) {
    return matches(text, *affix);
  }
  return false;
}

absl::StatusOr<Value> StringMethod(const std::string& name, const std::string& text,
                                   const Arguments& arguments) {
  if (name == "strip") return Value(Strip(text, arguments, true, true));
  if (name == "lstrip") return Value(Strip(text, arguments, true, false));
  if (name == "rstrip") return Value(Strip(text, arguments, false, true));
  if (name == "startswith") {
    return Value(AnyAffix(
        arguments, [](auto a, auto b) { return absl::StartsWith(a, b); }, text));
  }
  if (name == "endswith") {
    return Value(AnyAffix(
        arguments, [](auto a, auto b) { return absl::EndsWith(a, b); }, text));
  }
  if (name == "split") return Split(text, arguments);
  if (name == "upper") return Value(absl::AsciiStrToUpper(text));
  if (name == "lower") return Value(absl::AsciiStrToLower(text));
  if (name == "title") return Value(Title(text));
  if (name == "capitalize") return Value(Capitalized(text));
  if (name == "replace") {
    const std::string* from = StringAt(arguments, 0);
    const std::string* to = StringAt(arguments, 1);
    if (from == nullptr || to == nullptr || from->empty()) {
      return Error("replace: expected two strings, the first not empty");
    }
    return Value(absl::StrReplaceAll(text, {{*from, *to}}));
  }
  return Error(absl::StrCat("a string has no supported method '", name, "'"));
}

absl::StatusOr<Value> DictMethod(const std::string& name, const Dict& dict,
                                 const Arguments& arguments) {
  if (name == "get") {
    const std::string* key = StringAt(arguments, 0);
    if (key == nullptr) return Error("get: expected a string");
    const auto found = dict.find(*key);
    if (found != dict.end()) return found->second;
    return arguments.size() > 1 ? arguments[1] : Value(Value::None());
  }
  List list;
  for (const auto& [key, value] : dict) {
    if (name == "items") {
      list.push_back(Value(List{Value(key), value}));
    } else if (name == "keys") {
      list.push_back(Value(key));
    } else if (name == "values") {
      list.push_back(value);
    } else {
      return Error(absl::StrCat("a dict has no supported method '", name, "'"));
    }
  }
  return Value(std::move(list));
}

absl::optional<double> NumberOf(const Value& value) {
  if (value.integer() != nullptr) return static_cast<double>(*value.integer());
  if (value.number() != nullptr) return *value.number();
  if (value.boolean() != nullptr) return *value.boolean() ? 1 : 0;
  return absl::nullopt;
}

absl::StatusOr<bool> Contains(const Value& container, const Value& value) {
  if (const List* list = container.list(); list != nullptr) {
    return std::find(list->begin(), list->end(), value) != list->end();
  }
  if (value.string() != nullptr) {
    if (container.string() != nullptr)
      return absl::StrContains(*container.string(), *value.string());
    if (container.dict() != nullptr) return container.dict()->count(*value.string()) > 0;
  }
  return Error(absl::StrCat("'in' does not work on ", container.TypeName()));
}

absl::StatusOr<Value> Arithmetic(const std::string& op, const Value& left, const Value& right) {
  const auto a = NumberOf(left);
  const auto b = NumberOf(right);
  const absl::Status mismatch = Error(
      absl::StrCat("'", op, "' does not work on ", left.TypeName(), " and ", right.TypeName()));
  if (!a || !b) return mismatch;
  const bool division = op == "/" || op == "//" || op == "%";
  if (division && *b == 0) return Error("division by zero");
  const bool whole = left.number() == nullptr && right.number() == nullptr && op != "/";
  double result = 0;
  if (op == "+") {
    result = *a + *b;
  } else if (op == "-") {
    result = *a - *b;
  } else if (op == "*") {
    result = *a * *b;
  } else if (op == "/") {
    result = *a / *b;
  } else if (op == "//") {
    result = std::floor(*a / *b);
  } else if (op == "%") {
    result = *a - *b * std::floor(*a / *b);
  } else {
    return mismatch;
  }
  if (!whole) return Value(result);
  if (std::abs(result) > 9e15) return Error("a number is too large");
  return Value(static_cast<int64_t>(result));
}

}  // namespace

absl::StatusOr<Value> ApplyFilter(const std::string& name, const Value& value,
                                  const Arguments& arguments) {
  const std::string* text = value.string();
  const List* list = value.list();
  if (name == "default" || name == "d") {
    const bool also_false = arguments.size() > 1 && arguments[1].Truthy();
    const bool keep = also_false ? value.Truthy() : !value.is_undefined();
    return keep ? value : arguments.empty() ? Value(std::string()) : arguments[0];
  }
  if (name == "tojson") return Value(value.ToJson());
  if (name == "string") return Value(value.ToText());
  if (name == "safe") return value;
  if (name == "length" || name == "count") {
    if (text != nullptr) return Value(Length(*text));
    if (list != nullptr) return Value(static_cast<int64_t>(list->size()));
    if (value.dict() != nullptr) return Value(static_cast<int64_t>(value.dict()->size()));
    return Error(absl::StrCat(name, " does not work on ", value.TypeName()));
  }
  if (name == "trim") return Value(Strip(value.ToText(), arguments, true, true));
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" ||
      name == "replace") {
    return StringMethod(name, value.ToText(), arguments);
  }
  if (name == "first" || name == "last") {
    if (list != nullptr) {
      if (list->empty()) return Value();
      return name == "first" ? list->front() : list->back();
    }
    if (text != nullptr) {
      const auto characters = Characters(*text);
      if (characters.empty()) return Value();
      return Value(name == "first" ? characters.front() : characters.back());
    }
  }
  if (name == "join" && list != nullptr) {
    const std::string* separator = StringAt(arguments, 0);
    return Value(absl::StrJoin(
        *list, separator != nullptr ? *separator : "",
        [](std::string* out, const Value& element) { out->append(element.ToText()); }));
  }
  if (name == "list" && list != nullptr) return Value(List(*list));
  if (name == "items" && value.dict() != nullptr) return DictMethod("items", *value.dict(), {});
  if (name == "int" && NumberOf(value)) return Value(static_cast<int64_t>(*NumberOf(value)));
  return Error(absl::StrCat("the filter '", name, "' is not supported on ", value.TypeName()));
}

absl::StatusOr<bool> ApplyTest(const std::string& name, const Value& value,
                               const Arguments& arguments) {
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.string() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "boolean") return value.boolean() != nullptr;
  if (name == "integer") return value.integer() != nullptr;
  if (name == "number") return value.integer() != nullptr || value.number() != nullptr;
  if (name == "true") return value.boolean() != nullptr && *value.boolean();
  if (name == "false") return value.boolean() != nullptr && !*value.boolean();
  if (name == "iterable" || name == "sequence") {
    return value.list() != nullptr || value.string() != nullptr || value.dict() != nullptr;
  }
  if ((name == "equalto" || name == "eq") && arguments.size() == 1) return value == arguments[0];
  if (name == "in" && arguments.size() == 1) return Contains(arguments[0], value);
  if (value.integer() != nullptr) {
    if (name == "odd") return *value.integer() % 2 != 0;
    if (name == "even") return *value.integer() % 2 == 0;
  }
  return Error(absl::StrCat("the test '", name, "' is not supported on ", value.TypeName()));
}

absl::StatusOr<Value> CallMethod(const std::string& name, const Value& value,
                                 const Arguments& arguments) {
  if (value.string() != nullptr) return StringMethod(name, *value.string(), arguments);
  if (value.dict() != nullptr) return DictMethod(name, *value.dict(), arguments);
  return Error(absl::StrCat(value.TypeName(), " has no supported method '", name, "'"));
}

absl::StatusOr<Value> ApplyBinary(const std::string& op, const Value& left, const Value& right) {
  if (op == "==") return Value(left == right);
  if (op == "!=") return Value(!(left == right));
  if (op == "~") return Value(left.ToText() + right.ToText());
  if (op == "in" || op == "not in") {
    const absl::StatusOr<bool> found = Contains(right, left);
    if (!found.ok()) return found.status();
    return Value(*found == (op == "in"));
  }
  if (op == "+") {
    if (left.string() != nullptr && right.string() != nullptr) {
      return Value(*left.string() + *right.string());
    }
    if (left.list() != nullptr && right.list() != nullptr) {
      List joined = *left.list();
      joined.insert(joined.end(), right.list()->begin(), right.list()->end());
      return Value(std::move(joined));
    }
  }
  if (op == "<" || op == ">" || op == "<=" || op == ">=") {
    int order = 0;
    if (left.string() != nullptr && right.string() != nullptr) {
      order = left.string()->compare(*right.string());
    } else if (const auto a = NumberOf(left), b = NumberOf(right); a && b) {
      order = *a < *b ? -1 : *a > *b;
    } else {
      return Error(
          absl::StrCat("'", op, "' does not work on ", left.TypeName(), " and ", right.TypeName()));
    }
    const bool holds = op[0] == '<' ? order < 0 : order > 0;
    return Value(holds || (op.size() == 2 && order == 0));
  }
  return Arithmetic(op, left, right);
}

Value ItemOf(const Value& value, const Value& index) {
  if (const Dict* dict = value.dict(); dict != nullptr && index.string() != nullptr) {
    const auto found = dict->find(*index.string());
    return found == dict->end() ? Value() : found->second;
  }
  if (index.integer() == nullptr) return Value();
  const auto place = [&](int64_t size) {
    return *index.integer() < 0 ? *index.integer() + size : *index.integer();
  };
  if (const List* list = value.list(); list != nullptr) {
    const int64_t at = place(static_cast<int64_t>(list->size()));
    return at >= 0 && at < static_cast<int64_t>(list->size()) ? (*list)[at] : Value();
  }
  if (value.string() != nullptr) {
    const auto characters = Characters(*value.string());
    const int64_t at = place(static_cast<int64_t>(characters.size()));
    return at >= 0 && at < static_cast<int64_t>(characters.size()) ? Value(characters[at])
                                                                   : Value();
  }
  return Value();
}

absl::StatusOr<Value> SliceOf(const Value& value, const Value& begin, const Value& end,
                              const Value& step) {
  List elements;
  if (value.list() != nullptr) {
    elements = *value.list();
  } else if (value.string() != nullptr) {
    for (std::string& character : Characters(*value.string())) {
      elements.push_back(Value(std::move(character)));
    }
  } else {
    return Error(absl::StrCat(value.TypeName(), " cannot be sliced"));
  }
  const auto size = static_cast<int64_t>(elements.size());
  const int64_t stride = step.integer() != nullptr ? *step.integer() : 1;
  if (stride == 0) return Error("a slice with a step of 0");
  const auto bound = [&](const Value& given, int64_t otherwise) {
    if (given.integer() == nullptr) return otherwise;
    const int64_t at = *given.integer() < 0 ? *given.integer() + size : *given.integer();
    return stride > 0 ? std::clamp<int64_t>(at, 0, size) : std::clamp<int64_t>(at, -1, size - 1);
  };
  const int64_t first = bound(begin, stride > 0 ? 0 : size - 1);
  const int64_t last = bound(end, stride > 0 ? size : -1);
  List kept;
  for (int64_t i = first; stride > 0 ? i < last : i > last; i += stride)
    kept.push_back(elements[i]);
  if (value.list() != nullptr) return Value(std::move(kept));
  std::string text;
  for (const Value& character : kept) text += *character.string();
  return Value(std::move(text));
}

}  // namespace terminus::chat
