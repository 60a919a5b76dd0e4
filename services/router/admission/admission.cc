#include "services/router/admission/admission.h"

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"

namespace terminus::services::router::admission {

Permit::~Permit() {
  if (admission_ != nullptr) {
    admission_->Release(items_, bytes_);
  }
}

absl::StatusOr<Permit> Admission::TryAdmit(int64_t items, int64_t bytes) {
  if (items > limits_.max_items || bytes > limits_.max_bytes) {
    return base::MakeError(
        absl::StatusCode::kResourceExhausted, base::kReasonOverloaded,
        absl::StrCat("the call's ", items, " items of ", bytes,
                     " bytes are more than the router takes in at all: ", limits_.max_items,
                     " items, ", limits_.max_bytes, " bytes; send fewer in one call"));
  }
  {
    base::MutexLock lock(mutex_);
    if (used_.items + items <= limits_.max_items && used_.bytes + bytes <= limits_.max_bytes) {
      used_.items += items;
      used_.bytes += bytes;
      Show();
      return Permit(this, items, bytes);
    }
  }
  return base::WithRetryDelay(
      base::MakeError(absl::StatusCode::kResourceExhausted, base::kReasonOverloaded,
                      "the router is full of other calls; try again later"),
      limits_.retry_delay);
}

Admission::Usage Admission::usage() const {
  base::MutexLock lock(mutex_);
  return used_;
}

void Admission::Release(int64_t items, int64_t bytes) {
  base::MutexLock lock(mutex_);
  used_.items -= items;
  used_.bytes -= bytes;
  Show();
}

void Admission::Show() {
  if (gauges_.items != nullptr) {
    gauges_.items->Set(static_cast<double>(used_.items));
  }
  if (gauges_.bytes != nullptr) {
    gauges_.bytes->Set(static_cast<double>(used_.bytes));
  }
}

}  // namespace terminus::services::router::admission
