#include "common/chat/iteration.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

// Each is a few calls inside each other.
constexpr int kMaxIteratorDepth = 50;

absl::Status NotIterable(const Value& value) {
  return absl::InvalidArgumentError(
      absl::StrCat(value.TypeName(), " has no elements to go through"));
}

Value ViewElement(const std::pair<Value, Value>& entry, Value::ViewKind kind) {
  if (kind == Value::ViewKind::kKeys) return entry.first;
  if (kind == Value::ViewKind::kValues) return entry.second;
  return Value::Tuple({entry.first, entry.second});
}

}  // namespace

bool IsIterable(const Value& value) {
  return value.is_undefined() || value.text() != nullptr || value.elements() != nullptr ||
         value.dict() != nullptr || value.range() != nullptr || value.is_view() ||
         As<Iterator>(value) != nullptr ||
         (value.object() != nullptr && value.object()->kind() == Object::Kind::kLoop);
}

absl::StatusOr<Cursor> Cursor::Over(const Value& value, bool reversed) {
  const bool known = value.object() == nullptr || As<Iterator>(value) != nullptr;
  const bool backwards = value.object() == nullptr;
  if (!IsIterable(value) || !known || (reversed && !backwards)) return NotIterable(value);
  Cursor cursor(value);
  cursor.reversed_ = reversed;
  if (reversed && value.text() != nullptr) cursor.index_ = value.text()->bytes.size();
  return cursor;
}

int Cursor::depth() const {
  const Iterator* const iterator = As<Iterator>(value_);
  return iterator == nullptr ? 0 : iterator->depth;
}

absl::StatusOr<bool> Cursor::Next(Context& context, Value& element) {
  TERMINUS_RETURN_IF_ERROR(context.Step());
  return Read(element);
}

absl::StatusOr<bool> Cursor::Read(Value& element) {
  if (value_.is_undefined()) return false;
  if (Iterator* const iterator = As<Iterator>(value_); iterator != nullptr) {
    return iterator->next(element);
  }
  if (const Text* const text = value_.text(); text != nullptr) {
    size_t begin = index_;
    size_t end = index_;
    if (reversed_) {
      if (index_ == 0) return false;
      do {
        --begin;
      } while ((static_cast<unsigned char>(text->bytes[begin]) & 0xc0) == 0x80);
    } else {
      if (index_ == text->bytes.size()) return false;
      tokenizer::NextCodePoint(text->bytes, end);
    }
    element = Value(Slice(*text, begin, end));
    index_ = reversed_ ? begin : end;
    return true;
  }
  TERMINUS_ASSIGN_OR_RETURN(const int64_t size, LengthOf(value_));
  if (index_ >= static_cast<size_t>(size)) return false;
  const size_t at = reversed_ ? static_cast<size_t>(size) - 1 - index_ : index_;
  ++index_;
  Value::ViewKind kind;
  if (value_.elements() != nullptr) {
    element = (*value_.elements())[at];
  } else if (value_.dict() != nullptr) {
    element = value_.dict()->entries()[at].first;
  } else if (value_.range() != nullptr) {
    element = Value(value_.range()->at(static_cast<int64_t>(at)));
  } else {
    const Dict* const dict = value_.view(kind);
    element = ViewElement(dict->entries()[at], kind);
  }
  return true;
}

absl::StatusOr<List> Collect(Context& context, const Value& value) {
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(value));
  List all;
  Value element;
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
    if (!more) return all;
    all.push_back(element);
  }
}

absl::StatusOr<int64_t> LengthOf(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.text() != nullptr) return CountCharacters(value.text()->bytes);
  if (value.elements() != nullptr) return static_cast<int64_t>(value.elements()->size());
  if (value.range() != nullptr) return value.range()->size();
  Value::ViewKind kind;
  const Dict* const dict = value.dict() != nullptr ? value.dict() : value.view(kind);
  if (dict != nullptr) return static_cast<int64_t>(dict->entries().size());
  return absl::InvalidArgumentError(absl::StrCat(value.TypeName(), " has no length"));
}

absl::StatusOr<Value> MakeIterator(Context& context, const Cursor& source, Iterator::Next next) {
  const int depth = source.depth() + 1;
  if (depth > kMaxIteratorDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kMaxIteratorDepth, " filters on top of each other"));
  }
  TERMINUS_ASSIGN_OR_RETURN(Iterator* const made, context.Make<Iterator>(std::move(next), depth));
  return Value(made);
}

}  // namespace terminus::chat
