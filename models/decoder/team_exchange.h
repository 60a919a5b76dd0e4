#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "models/decoder/tensor_group.h"
#include "models/kernels/team/thread_team.h"

namespace terminus::models::decoder {

// A rank's calls of its tensor group from inside a thread team's computation: one thread makes the
// call, the others wait at the team's barrier. The first error is final. All members of the team
// make the same calls in the same order, and look at failed() before each phase: once it holds,
// the rest of the computation is skipped.
class TeamExchange {
 public:
  using Member = kernels::ThreadTeam::Member;

  // Null: the model is not divided, and no call is made.
  explicit TeamExchange(std::shared_ptr<TensorGroup> group) : group_(std::move(group)) {}

  bool divided() const { return group_ != nullptr; }

  // No numbers make no call.
  void AllReduceSum(Member& member, float* data, int64_t count);
  // whole [ranks, count]. Requires: divided().
  void AllGather(Member& member, const float* part, int64_t count, float* whole);

  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // The first error, with what was called. To be read between two computations, or by who has seen
  // failed().
  const absl::Status& status() const { return status_; }

 private:
  void Call(Member& member, const char* what, absl::FunctionRef<absl::Status()> call);

  const std::shared_ptr<TensorGroup> group_;
  std::atomic<bool> failed_{false};
  absl::Status status_;
};

}  // namespace terminus::models::decoder
