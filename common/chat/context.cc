#include "common/chat/context.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::chat {
namespace {

constexpr size_t kBytesPerStep = 64;

}  // namespace

absl::Status Context::Step(size_t steps) {
  steps_ += steps;
  if (steps_ <= kMaxSteps) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxSteps, " steps"));
}

absl::Status Context::ChargeBytes(size_t bytes) {
  TERMINUS_RETURN_IF_ERROR(CheckTextSize(bytes));
  return Step(1 + bytes / kBytesPerStep);
}

absl::Status Context::Charge(const Value& value) {
  if (value.depth() > kMaxValueDepth) {
    return absl::InvalidArgumentError(absl::StrCat("lists nested deeper than ", kMaxValueDepth));
  }
  return ChargeBytes(value.weight() - 1);
}

}  // namespace terminus::chat
