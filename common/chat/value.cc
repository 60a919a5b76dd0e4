#include "common/chat/value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/base/status_macros.h"

namespace terminus::chat {
namespace {

// What an element costs beside its own weight.
constexpr size_t kElementWeight = 16;

bool SameNumber(const Value& left, const Value& right, bool& same) {
  const auto integer_of = [](const Value& value) -> absl::optional<int64_t> {
    if (value.integer() != nullptr) return *value.integer();
    if (value.boolean() != nullptr) return *value.boolean() ? 1 : 0;
    return absl::nullopt;
  };
  const auto a = integer_of(left);
  const auto b = integer_of(right);
  if ((!a && left.number() == nullptr) || (!b && right.number() == nullptr)) return false;
  if (a && b) {
    same = *a == *b;
  } else if (a || b) {
    same = a ? CompareExactly(*a, *right.number()) == 0 : CompareExactly(*b, *left.number()) == 0;
  } else {
    same = *left.number() == *right.number();
  }
  return true;
}

bool SameDict(const Dict& left, const Dict& right) {
  return left.entries().size() == right.entries().size() &&
         std::all_of(left.entries().begin(), left.entries().end(), [&](const auto& entry) {
           const auto found = right.Find(entry.first);
           return found.ok() && *found != nullptr && **found == entry.second;
         });
}

}  // namespace

int CompareExactly(int64_t left, double right) {
  if (std::isnan(right)) return 1;
  // Both limits are exact as floats; beyond them no integer can equal.
  if (right >= 9223372036854775808.0) return -1;
  if (right < -9223372036854775808.0) return 1;
  const double floor = std::floor(right);
  const auto whole = static_cast<int64_t>(floor);
  if (left != whole) return left < whole ? -1 : 1;
  return floor < right ? -1 : 0;
}

absl::Status CheckTextSize(size_t bytes) {
  if (bytes <= kMaxWeight) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxWeight, " bytes of text"));
}

absl::StatusOr<std::string> HashKey(const Value& key) {
  if (key.text() != nullptr) return absl::StrCat("s", key.text()->bytes);
  if (key.integer() != nullptr) return absl::StrCat("i", *key.integer());
  if (key.boolean() != nullptr) return absl::StrCat("i", *key.boolean() ? 1 : 0);
  if (key.is_none()) return std::string("n");
  if (key.is_undefined()) return std::string("u");
  if (key.number() != nullptr) {
    const double number = *key.number();
    if (std::floor(number) == number && std::abs(number) < 9e18) {
      return absl::StrCat("i", static_cast<int64_t>(number));
    }
    if (std::isnan(number)) return absl::InvalidArgumentError("nan as a key is not supported");
    return std::string("f").append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  if (key.object() != nullptr) {
    return absl::StrCat("o", reinterpret_cast<uintptr_t>(key.object()));
  }
  if (const Range* const range = key.range(); range != nullptr) {
    const int64_t size = range->size();
    return absl::StrCat("r", size, " ", size > 0 ? range->begin : 0, " ",
                        size > 1 ? range->step : 0);
  }
  if (key.tuple() == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(key.TypeName(), " cannot be a key of a dict"));
  }
  std::string all = "t";
  for (const Value& element : *key.tuple()) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string one, HashKey(element));
    absl::StrAppend(&all, one.size(), ":", one);
    TERMINUS_RETURN_IF_ERROR(CheckTextSize(all.size()));
  }
  return all;
}

Dict::Dict(std::initializer_list<std::pair<absl::string_view, Value>> entries) {
  for (const auto& [key, value] : entries) Set(key, value);
}

absl::StatusOr<const Value*> Dict::Find(const Value& key) const {
  TERMINUS_ASSIGN_OR_RETURN(const std::string hashed, HashKey(key));
  const auto found = places_.find(hashed);
  return found == places_.end() ? nullptr : &entries_[found->second].second;
}

const Value* Dict::Find(absl::string_view key) const {
  const auto found = places_.find(absl::StrCat("s", key));
  return found == places_.end() ? nullptr : &entries_[found->second].second;
}

absl::Status Dict::Set(Value key, Value value) {
  TERMINUS_ASSIGN_OR_RETURN(std::string hashed, HashKey(key));
  const auto [place, is_new] = places_.try_emplace(std::move(hashed), entries_.size());
  if (is_new) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
  return absl::OkStatus();
}

void Dict::Set(absl::string_view key, Value value) {
  // A text is always a key.
  Set(Value(std::string(key)), std::move(value)).IgnoreError();
}

int64_t Range::size() const {
  if (step > 0 ? begin >= end : begin <= end) return 0;
  // Unsigned, because the distance may not fit an int64_t.
  const uint64_t distance = step > 0 ? static_cast<uint64_t>(end) - static_cast<uint64_t>(begin)
                                     : static_cast<uint64_t>(begin) - static_cast<uint64_t>(end);
  const uint64_t stride =
      step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  const uint64_t count = (distance - 1) / stride + 1;
  return static_cast<int64_t>(std::min<uint64_t>(count, std::numeric_limits<int64_t>::max()));
}

std::shared_ptr<const Value::Container<List>> Value::Weighed(List elements) {
  auto made = std::make_shared<Container<List>>();
  for (const Value& element : elements) {
    made->weight += kElementWeight + element.weight();
    made->depth = std::max(made->depth, 1 + element.depth());
  }
  made->elements = std::move(elements);
  return made;
}

Value::Value(List list) : data_(ListData{Weighed(std::move(list))}) {}

Value::Value(Dict dict) {
  auto made = std::make_shared<Container<Dict>>();
  for (const auto& [key, element] : dict.entries()) {
    made->weight += kElementWeight + key.weight() + element.weight();
    made->depth = std::max({made->depth, 1 + key.depth(), 1 + element.depth()});
  }
  made->elements = std::move(dict);
  data_ = DictData{std::move(made)};
}

Value Value::Undefined(std::string why) {
  Value made;
  made.data_ = UndefinedData{std::make_shared<const std::string>(std::move(why))};
  return made;
}

Value Value::Tuple(List elements) {
  Value made;
  made.data_ = TupleData{Weighed(std::move(elements)), false};
  return made;
}

Value Value::Group(Value grouper, Value list) {
  Value made;
  made.data_ = TupleData{Weighed({std::move(grouper), std::move(list)}), true};
  return made;
}

Value Value::View(const Value& dict, ViewKind kind) {
  Value made;
  made.data_ = ViewData{std::get<DictData>(dict.data_).held, kind};
  return made;
}

const Text* Value::text() const {
  const auto* held = std::get_if<std::shared_ptr<const Text>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

const List* Value::list() const {
  const auto* held = std::get_if<ListData>(&data_);
  return held == nullptr ? nullptr : &held->held->elements;
}

const List* Value::tuple() const {
  const auto* held = std::get_if<TupleData>(&data_);
  return held == nullptr ? nullptr : &held->held->elements;
}

bool Value::is_group() const {
  const auto* held = std::get_if<TupleData>(&data_);
  return held != nullptr && held->group;
}

const Dict* Value::dict() const {
  const auto* held = std::get_if<DictData>(&data_);
  return held == nullptr ? nullptr : &held->held->elements;
}

const Range* Value::range() const {
  const auto* held = std::get_if<std::shared_ptr<const Range>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

Object* Value::object() const {
  const auto* held = std::get_if<Object*>(&data_);
  return held == nullptr ? nullptr : *held;
}

const Dict* Value::view(ViewKind& kind) const {
  const auto* held = std::get_if<ViewData>(&data_);
  if (held == nullptr) return nullptr;
  kind = held->kind;
  return &held->held->elements;
}

size_t Value::weight() const {
  if (text() != nullptr) return 1 + text()->bytes.size();
  if (const auto* held = std::get_if<ListData>(&data_)) return held->held->weight;
  if (const auto* held = std::get_if<TupleData>(&data_)) return held->held->weight;
  if (const auto* held = std::get_if<DictData>(&data_)) return held->held->weight;
  if (const auto* held = std::get_if<ViewData>(&data_)) return held->held->weight;
  return 1;
}

int Value::depth() const {
  if (const auto* held = std::get_if<ListData>(&data_)) return held->held->depth;
  if (const auto* held = std::get_if<TupleData>(&data_)) return held->held->depth;
  if (const auto* held = std::get_if<DictData>(&data_)) return held->held->depth;
  if (const auto* held = std::get_if<ViewData>(&data_)) return 1 + held->held->depth;
  return 0;
}

bool Value::Truthy() const {
  if (is_undefined() || is_none()) return false;
  if (boolean() != nullptr) return *boolean();
  if (integer() != nullptr) return *integer() != 0;
  if (number() != nullptr) return *number() != 0;
  if (text() != nullptr) return !text()->bytes.empty();
  if (elements() != nullptr) return !elements()->empty();
  if (range() != nullptr) return range()->size() > 0;
  ViewKind kind;
  const Dict* const entries = dict() != nullptr ? dict() : view(kind);
  return entries == nullptr || !entries->entries().empty();
}

absl::string_view Value::TypeName() const {
  constexpr absl::string_view kNames[] = {
      "an undefined value", "none",     "a boolean", "an integer", "a float",
      "a string",           "a list",   "a tuple",   "a dict",     "a range",
      "a view of a dict",   "an object"};
  return kNames[data_.index()];
}

std::string Value::WhyUndefined() const {
  const auto* held = std::get_if<UndefinedData>(&data_);
  return held != nullptr && held->why != nullptr ? *held->why : "the value is undefined";
}

// Views of keys and of items are sets.
bool Value::ViewEquals(const ViewData& other) const {
  const auto& mine = std::get<ViewData>(data_);
  if (mine.kind != other.kind) {
    return mine.kind != ViewKind::kValues && other.kind != ViewKind::kValues &&
           mine.held->elements.entries().empty() && other.held->elements.entries().empty();
  }
  // Views of values are equal only when they are the same one.
  if (mine.kind == ViewKind::kValues) return false;
  if (mine.kind == ViewKind::kItems) return SameDict(mine.held->elements, other.held->elements);
  const auto& keys = mine.held->elements.entries();
  return keys.size() == other.held->elements.entries().size() &&
         std::all_of(keys.begin(), keys.end(), [&](const auto& entry) {
           const auto found = other.held->elements.Find(entry.first);
           return found.ok() && *found != nullptr;
         });
}

bool Value::operator==(const Value& other) const {
  bool same = false;
  if (SameNumber(*this, other, same)) return same;
  if (data_.index() != other.data_.index()) return false;
  if (is_undefined() || is_none()) return true;
  if (text() != nullptr) return text()->bytes == other.text()->bytes;
  if (elements() != nullptr) return *elements() == *other.elements();
  if (dict() != nullptr) return SameDict(*dict(), *other.dict());
  if (range() != nullptr) {
    const int64_t size = range()->size();
    if (size != other.range()->size()) return false;
    return size == 0 || (range()->begin == other.range()->begin &&
                         (size == 1 || range()->step == other.range()->step));
  }
  if (is_view()) return ViewEquals(std::get<ViewData>(other.data_));
  return object() == other.object();
}

absl::StatusOr<bool> Value::Is(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (is_none()) return true;
  if (boolean() != nullptr) return *boolean() == *other.boolean();
  if (object() != nullptr) return object() == other.object();
  if (list() != nullptr) {
    return std::get<ListData>(data_).held == std::get<ListData>(other.data_).held;
  }
  if (dict() != nullptr) {
    return std::get<DictData>(data_).held == std::get<DictData>(other.data_).held;
  }
  constexpr int64_t kLeastShared = -5;
  constexpr int64_t kMostShared = 256;
  if (integer() != nullptr && *integer() >= kLeastShared && *integer() <= kMostShared) {
    return *integer() == *other.integer();
  }
  if (!(*this == other)) return false;
  return absl::InvalidArgumentError(
      absl::StrCat("whether two equal values of ", TypeName(), " are the same one is not known"));
}

}  // namespace terminus::chat
