#include "common/chat/brace_format.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/attributes.h"
#include "common/chat/format_spec.h"
#include "common/chat/operators.h"
#include "common/chat/represent.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// { name ! conversion : spec }, as byte ranges of the format.
struct Field {
  base::ByteRange name;
  char conversion = 0;
  base::ByteRange spec;
};

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

class BraceFormatter {
 public:
  BraceFormatter(Context& context, const Arguments& arguments)
      : context_(context), arguments_(arguments) {}

  // Formats may be in the specs of formats, up to two deep.
  absl::StatusOr<Text> Run(const Text& format, int depth) {
    if (depth < 0) return Error("formats nested too deep");
    TextBuilder out;
    const absl::string_view bytes = format.bytes;
    size_t at = 0;
    while (at < bytes.size()) {
      const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.AppendSlice(format, at, brace);
      at = brace;
      if (at == bytes.size()) break;
      if (at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) {
        out.AppendSlice(format, at, at + 1);
        at += 2;
        continue;
      }
      if (bytes[at] == '}' || at + 1 == bytes.size()) return Error("a single brace in a format");
      ++at;
      Field field;
      TERMINUS_RETURN_IF_ERROR(ParseField(bytes, at, field));
      TERMINUS_ASSIGN_OR_RETURN(const Text text, Formatted(format, field, depth));
      out.Append(text);
      TERMINUS_RETURN_IF_ERROR(CheckTextSize(out.size()));
    }
    return out.Take();
  }

 private:
  // Behind "{"; leaves `at` behind "}".
  static absl::Status ParseField(absl::string_view bytes, size_t& at, Field& field) {
    field.name.begin = at;
    while (at < bytes.size() && bytes[at] != '}' && bytes[at] != ':' && bytes[at] != '!') {
      if (bytes[at] == '{') return Error("a brace in the name of a format's field");
      if (bytes[at] == '[') at = std::min(bytes.find(']', at), bytes.size());
      if (at < bytes.size()) ++at;
    }
    field.name.end = at;
    if (at == bytes.size()) return Error("a field of a format that is not closed");
    if (bytes[at] == '!') {
      if (at + 2 >= bytes.size()) return Error("a field of a format that is not closed");
      field.conversion = bytes[at + 1];
      at += 2;
      if (bytes[at] != '}' && bytes[at] != ':') {
        return Error("expected ':' behind the conversion of a format");
      }
    }
    if (bytes[at++] == '}') return absl::OkStatus();
    field.spec.begin = at;
    for (int open = 1; at < bytes.size(); ++at) {
      open += bytes[at] == '{' ? 1 : bytes[at] == '}' ? -1 : 0;
      if (open == 0) {
        field.spec.end = at++;
        return absl::OkStatus();
      }
    }
    return Error("a field of a format that is not closed");
  }

  absl::StatusOr<Text> Formatted(const Text& format, const Field& field, int depth) {
    std::string name = format.bytes.substr(field.name.begin, field.name.end - field.name.begin);
    if (name.empty()) {
      if (numbered_) return Error("a format with fields with and without numbers");
      name = absl::StrCat(next_++);
    } else if (IsNumber(name)) {
      if (next_ > 0) return Error("a format with fields with and without numbers");
      numbered_ = true;
    }
    TERMINUS_ASSIGN_OR_RETURN(Value value, ValueOf(name));
    if (field.conversion != 0) {
      TextBuilder converted;
      if (field.conversion == 's') {
        TERMINUS_RETURN_IF_ERROR(AppendText(context_, value, converted));
      } else if (field.conversion == 'r' || field.conversion == 'a') {
        TERMINUS_RETURN_IF_ERROR(AppendRepresentation(context_, value, converted));
      } else {
        return Error("a format's conversion other than s, r and a");
      }
      if (field.conversion == 'a' && !converted.text().ascii()) {
        return Error("'!a' of a text that is not ASCII is not supported");
      }
      value = Value(converted.Take());
    }
    TERMINUS_ASSIGN_OR_RETURN(
        const Text spec,
        Run(Slice(format, field.spec.begin, std::max(field.spec.begin, field.spec.end)),
            depth - 1));
    return FormatValue(context_, value, spec);
  }

  // name, then any of .attribute and [index].
  absl::StatusOr<Value> ValueOf(absl::string_view name) {
    size_t at = std::min(name.find_first_of(".["), name.size());
    TERMINUS_ASSIGN_OR_RETURN(Value value, First(name.substr(0, at)));
    while (at < name.size()) {
      const bool attribute = name[at++] == '.';
      const size_t end =
          std::min(attribute ? name.find_first_of(".[", at) : name.find(']', at), name.size());
      if (!attribute && end == name.size()) return Error("an index of a format is not closed");
      const absl::string_view part = name.substr(at, end - at);
      if (part.empty()) return Error("an empty attribute in a format");
      if (attribute) {
        TERMINUS_ASSIGN_OR_RETURN(value, AttributeOf(context_, value, part));
        at = end;
      } else {
        int64_t index = 0;
        const bool number = IsNumber(part) && absl::SimpleAtoi(part, &index);
        TERMINUS_ASSIGN_OR_RETURN(
            value, ItemOf(context_, value, number ? Value(index) : Value(std::string(part))));
        at = end + 1;
        if (at < name.size() && name[at] != '.' && name[at] != '[') {
          return Error("only '.' or '[' may follow ']' in a format");
        }
      }
    }
    return value;
  }

  absl::StatusOr<Value> First(absl::string_view name) {
    if (IsNumber(name)) {
      size_t index = 0;
      if (absl::SimpleAtoi(name, &index) && index < arguments_.positional.size()) {
        return arguments_.positional[index];
      }
      return Error("fewer arguments than the format takes");
    }
    for (const auto& [key, value] : arguments_.named) {
      if (key == name) return value;
    }
    return Error(absl::StrCat("the format's argument '", name, "' is not there"));
  }

  Context& context_;
  const Arguments& arguments_;
  size_t next_ = 0;
  bool numbered_ = false;
};

}  // namespace

absl::StatusOr<Value> FormatMethod(Context& context, const Text& format,
                                   const Arguments& arguments) {
  constexpr int kDepth = 2;
  TERMINUS_ASSIGN_OR_RETURN(Text text, BraceFormatter(context, arguments).Run(format, kDepth));
  return Value(std::move(text));
}

absl::StatusOr<Value> FormatMapMethod(Context& context, const Text& format,
                                      const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("format_map", arguments, {"mapping"}, 1, 1));
  if (bound.at(0).dict() == nullptr) return Error("format_map: expected a dict");
  Arguments named;
  for (const auto& [key, value] : bound.at(0).dict()->entries()) {
    if (key.text() != nullptr) named.named.emplace_back(key.text()->bytes, value);
  }
  return FormatMethod(context, format, named);
}

}  // namespace terminus::chat
