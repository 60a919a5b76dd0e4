#include "common/chat/represent.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/chat/loop.h"
#include "common/chat/numbers.h"
#include "common/chat/objects.h"
#include "common/chat/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

// The escape of a character inside quotes; empty when it stands for itself.
std::string EscapeOf(char32_t c, char quote, bool ascii) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (c == '\\' || c == static_cast<char32_t>(quote)) {
    return std::string("\\") + static_cast<char>(c);
  }
  if (IsPrintable(c) && !(ascii && c > 0x7f)) return "";
  const auto code = static_cast<uint32_t>(c);
  if (c < 0x100) return absl::StrFormat("\\x%02x", code);
  return c < 0x10000 ? absl::StrFormat("\\u%04x", code) : absl::StrFormat("\\U%08x", code);
}

class Representer {
 public:
  Representer(Context& context, TextBuilder& out) : context_(context), out_(out) {}

  absl::Status Run(const Value& value) {
    // Namespaces may hold themselves.
    if (depth_ > kMaxValueDepth) {
      return absl::InvalidArgumentError(absl::StrCat("values nested deeper than ", kMaxValueDepth));
    }
    TERMINUS_RETURN_IF_ERROR(context_.Step());
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(out_.size()));
    if (const Text* const text = value.text(); text != nullptr) {
      if (text->safe) out_.Append("Markup(");
      AppendQuoted(*text, /*ascii=*/false, out_);
      if (text->safe) out_.Append(")");
      return absl::OkStatus();
    }
    if (value.is_undefined()) {
      out_.Append("Undefined");
      return absl::OkStatus();
    }
    if (value.object() != nullptr) return RunObject(value);
    if (value.elements() != nullptr || value.dict() != nullptr || value.is_view()) {
      ++depth_;
      TERMINUS_RETURN_IF_ERROR(RunContainer(value));
      --depth_;
      return absl::OkStatus();
    }
    return RunScalar(value);
  }

 private:
  absl::Status RunScalar(const Value& value) {
    if (value.is_none()) out_.Append("None");
    if (value.boolean() != nullptr) out_.Append(*value.boolean() ? "True" : "False");
    if (value.integer() != nullptr) out_.Append(absl::StrCat(*value.integer()));
    if (value.number() != nullptr) out_.Append(FloatText(*value.number()));
    if (const Range* const range = value.range(); range != nullptr) {
      out_.Append(absl::StrCat("range(", range->begin, ", ", range->end));
      if (range->step != 1) out_.Append(absl::StrCat(", ", range->step));
      out_.Append(")");
    }
    return absl::OkStatus();
  }

  absl::Status RunAll(const List& elements) {
    for (size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) out_.Append(", ");
      TERMINUS_RETURN_IF_ERROR(Run(elements[i]));
    }
    return absl::OkStatus();
  }

  absl::Status RunDict(const Dict& dict) {
    out_.Append("{");
    bool first = true;
    for (const auto& [key, value] : dict.entries()) {
      if (!first) out_.Append(", ");
      first = false;
      TERMINUS_RETURN_IF_ERROR(Run(key));
      out_.Append(": ");
      TERMINUS_RETURN_IF_ERROR(Run(value));
    }
    out_.Append("}");
    return absl::OkStatus();
  }

  absl::Status RunContainer(const Value& value) {
    if (value.dict() != nullptr) return RunDict(*value.dict());
    if (const List* const list = value.list(); list != nullptr) {
      out_.Append("[");
      TERMINUS_RETURN_IF_ERROR(RunAll(*list));
      out_.Append("]");
      return absl::OkStatus();
    }
    if (const List* const tuple = value.tuple(); tuple != nullptr) {
      out_.Append("(");
      TERMINUS_RETURN_IF_ERROR(RunAll(*tuple));
      out_.Append(tuple->size() == 1 ? ",)" : ")");
      return absl::OkStatus();
    }
    Value::ViewKind kind;
    List shown;
    for (const auto& [key, element] : value.view(kind)->entries()) {
      shown.push_back(kind == Value::ViewKind::kKeys     ? key
                      : kind == Value::ViewKind::kValues ? element
                                                         : Value::Tuple({key, element}));
    }
    out_.Append(kind == Value::ViewKind::kKeys     ? "dict_keys(["
                : kind == Value::ViewKind::kValues ? "dict_values(["
                                                   : "dict_items([");
    TERMINUS_RETURN_IF_ERROR(RunAll(shown));
    out_.Append("])");
    return absl::OkStatus();
  }

  absl::Status RunObject(const Value& value) {
    if (const auto* const space = As<Namespace>(value); space != nullptr) {
      out_.Append("<Namespace ");
      ++depth_;
      TERMINUS_RETURN_IF_ERROR(RunDict(space->members));
      --depth_;
      out_.Append(">");
      return absl::OkStatus();
    }
    if (const auto* const macro = As<Macro>(value); macro != nullptr) {
      const std::string& name = macro->definition->name;
      out_.Append(name.empty() ? "<Macro anonymous>" : absl::StrCat("<Macro '", name, "'>"));
      return absl::OkStatus();
    }
    if (auto* const loop = As<Loop>(value); loop != nullptr) {
      TERMINUS_ASSIGN_OR_RETURN(const int64_t length, loop->Length(context_));
      out_.Append(absl::StrCat("<LoopContext ", loop->index0() + 1, "/", length, ">"));
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        "a function, method or generator has no text, expected a call or '| list'");
  }

  Context& context_;
  TextBuilder& out_;
  int depth_ = 0;
};

}  // namespace

void AppendQuoted(const Text& text, bool ascii, TextBuilder& out) {
  const absl::string_view bytes = text.bytes;
  // Single quotes, unless only they are inside.
  const bool has_single = bytes.find('\'') != absl::string_view::npos;
  const char quote = has_single && bytes.find('"') == absl::string_view::npos ? '"' : '\'';
  out.Append(absl::string_view(&quote, 1));
  auto mark = text.marks.begin();
  for (size_t at = 0; at < bytes.size();) {
    const size_t from = at;
    const std::string escape = EscapeOf(tokenizer::NextCodePoint(bytes, at), quote, ascii);
    while (mark != text.marks.end() && mark->end <= from) ++mark;
    const bool marked = mark != text.marks.end() && mark->begin <= from;
    const absl::string_view written = escape.empty() ? bytes.substr(from, at - from) : escape;
    if (marked) {
      out.AppendMarked(written);
    } else {
      out.Append(written);
    }
  }
  out.Append(absl::string_view(&quote, 1));
}

absl::Status AppendRepresentation(Context& context, const Value& value, TextBuilder& out) {
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  return Representer(context, out).Run(value);
}

absl::Status AppendText(Context& context, const Value& value, TextBuilder& out) {
  if (value.is_undefined()) return absl::OkStatus();
  if (value.text() == nullptr) return AppendRepresentation(context, value, out);
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(out.size() + value.text()->bytes.size() <= kMaxWeight
                                                   ? value.text()->bytes.size()
                                                   : kMaxWeight + 1));
  out.Append(*value.text());
  return absl::OkStatus();
}

absl::StatusOr<Text> TextOf(Context& context, const Value& value) {
  TextBuilder builder;
  TERMINUS_RETURN_IF_ERROR(AppendText(context, value, builder));
  return builder.Take();
}

}  // namespace terminus::chat
