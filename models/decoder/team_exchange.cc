#include "models/decoder/team_exchange.h"

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"

namespace terminus::models::decoder {

void TeamExchange::AllReduceSum(Member& member, float* data, int64_t count) {
  if (divided() && count > 0) {
    Call(member, "all-reduce", [&] { return group_->AllReduceSum(data, count); });
  }
}

void TeamExchange::AllGather(Member& member, const float* part, int64_t count, float* whole) {
  if (count > 0) {
    Call(member, "all-gather", [&] { return group_->AllGather(part, count, whole); });
  }
}

void TeamExchange::Call(Member& member, const char* what, absl::FunctionRef<absl::Status()> call) {
  if (failed()) {
    return;
  }
  member.ForEach(1, 1, [&](int64_t, int64_t) {
    const absl::Status status = call();
    if (!status.ok()) {
      status_ =
          base::Annotate(status, absl::StrCat("rank ", group_->rank(), " of a tensor group of ",
                                              group_->size(), ", ", what));
      // Before the phase ends, so that every member that is past it sees the error.
      failed_.store(true, std::memory_order_release);
    }
  });
}

}  // namespace terminus::models::decoder
