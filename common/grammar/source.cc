#include "common/grammar/source.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/grammar/schema_check.h"

namespace terminus::grammar {
namespace {

constexpr int kMaxGroups = 64;

// Groups in groups of a regular expression. Brackets that it leaves open are for the compiler to
// name.
int GroupDepth(const std::string& regex) {
  int depth = 0;
  int deepest = 0;
  bool in_class = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\') {
      ++i;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ')') {
      --depth;
    }
  }
  return deepest;
}

absl::Status CheckRegex(const std::string& regex) {
  if (regex.empty()) {
    return absl::InvalidArgumentError("the regular expression is empty");
  }
  if (const int depth = GroupDepth(regex); depth > kMaxGroups) {
    return absl::InvalidArgumentError(
        absl::StrCat("groups ", depth, " deep in each other, at most ", kMaxGroups, " are taken"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSource(const Source& source, size_t max_bytes) {
  if (source.text.size() > max_bytes) {
    return base::MakeError(
        absl::StatusCode::kInvalidArgument, base::kReasonFormatTooLarge,
        absl::StrCat(source.text.size(), " bytes, at most ", max_bytes, " are taken"));
  }
  switch (source.kind) {
    case Source::Kind::kJsonSchema:
      return CheckSchema(source.text);
    case Source::Kind::kRegex:
      return CheckRegex(source.text);
    case Source::Kind::kJsonObject:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace terminus::grammar
