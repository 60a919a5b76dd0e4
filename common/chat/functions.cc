#include "common/chat/functions.h"

#include <cstdlib>
#include <ctime>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/chat/methods.h"
#include "common/chat/objects.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<Value> MakeRange(const Arguments& arguments) {
  constexpr int64_t kMostElements = 100'000;
  // Far from the ends of 64 bits, so that no element is beyond.
  constexpr int64_t kMost = int64_t{1} << 61;
  const List& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.named.empty()) {
    return Error("range: expected one to three integers");
  }
  int64_t bounds[3] = {0, 0, 1};
  for (size_t i = 0; i < given.size(); ++i) {
    const auto bound = IndexOf(given[i]);
    if (!bound) return Error(absl::StrCat("range: expected integers, not ", given[i].TypeName()));
    if (*bound > kMost || *bound < -kMost) return Error("range: the integer is too large");
    bounds[given.size() == 1 ? 1 : i] = *bound;
  }
  if (bounds[2] == 0) return Error("range: a step of 0");
  const Range range = {.begin = bounds[0], .end = bounds[1], .step = bounds[2]};
  if (range.size() > kMostElements) {
    return Error(absl::StrCat("range: at most ", kMostElements, " elements"));
  }
  return Value(range);
}

absl::StatusOr<Value> MakeNamespace(Context& context, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(Dict members, MakeDict(context, arguments));
  for (const auto& entry : members.entries()) {
    if (entry.first.text() != nullptr && absl::StartsWith(entry.first.text()->bytes, "_")) {
      return Error("namespace: a name that begins with an underscore");
    }
  }
  TERMINUS_ASSIGN_OR_RETURN(Namespace* const made, context.Make<Namespace>(std::move(members)));
  return Value(made);
}

absl::StatusOr<Value> MakeCycler(Context& context, const Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.named.empty()) {
    return Error("cycler: expected values");
  }
  TERMINUS_ASSIGN_OR_RETURN(Cycler* const made, context.Make<Cycler>(arguments.positional));
  return Value(made);
}

absl::StatusOr<Value> MakeJoiner(Context& context, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("joiner", arguments, {"sep"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(Joiner* const made,
                            context.Make<Joiner>(bound.ValueOr(0, Value(std::string(", ")))));
  return Value(made);
}

// The local time by C's strftime, as Python's datetime does it: %f is microseconds; %z and %Z are
// empty, because the time names no zone.
absl::StatusOr<Value> FormatNow(Context& context, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("strftime_now", arguments, {"format"}, 1));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const given, bound.TextAt(0));
  constexpr size_t kMaxFormatBytes = 1000;
  if (given->bytes.size() > kMaxFormatBytes || absl::StrContains(given->bytes, '\0')) {
    return Error("strftime_now: the format is too long, or holds a zero");
  }
  const absl::Time now = context.Now();
  const int64_t micros = absl::ToUnixMicros(now) % 1'000'000;
  std::string format = " ";
  for (size_t i = 0; i < given->bytes.size(); ++i) {
    const char next = i + 1 < given->bytes.size() ? given->bytes[i + 1] : ' ';
    if (given->bytes[i] != '%') {
      format.push_back(given->bytes[i]);
      continue;
    }
    ++i;
    if (next == 'f') {
      absl::StrAppendFormat(&format, "%06d", micros < 0 ? micros + 1'000'000 : micros);
    } else if (next != 'z' && next != 'Z') {
      format.push_back('%');
      if (i < given->bytes.size()) format.push_back(next);
    }
  }
  const std::tm time = absl::ToTM(now, absl::LocalTimeZone());
  std::string out(64 + 64 * format.size(), '\0');
  const size_t bytes = std::strftime(out.data(), out.size(), format.c_str(), &time);
  if (bytes == 0) return Error("strftime_now: the time's text is too long");
  return Value(out.substr(1, bytes - 1));
}

}  // namespace

const std::vector<absl::string_view>& FunctionNames() {
  static const auto& names = *new std::vector<absl::string_view>{
      "cycler", "dict", "joiner", "namespace", "raise_exception", "range", "strftime_now"};
  return names;
}

absl::StatusOr<Value> CallFunction(Context& context, absl::string_view name,
                                   const Arguments& arguments) {
  if (name == "range") return MakeRange(arguments);
  if (name == "namespace") return MakeNamespace(context, arguments);
  if (name == "cycler") return MakeCycler(context, arguments);
  if (name == "joiner") return MakeJoiner(context, arguments);
  if (name == "strftime_now") return FormatNow(context, arguments);
  TERMINUS_ASSIGN_OR_RETURN(Dict dict, MakeDict(context, arguments));
  return Value(std::move(dict));
}

}  // namespace terminus::chat
