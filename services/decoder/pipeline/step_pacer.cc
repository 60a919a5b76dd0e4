#include "services/decoder/pipeline/step_pacer.h"

#include <algorithm>

namespace terminus::services::decoder::pipeline {
namespace {

constexpr size_t kRemembered = 16;
// A foresight from fewer steps is none.
constexpr int kLeastAlike = 3;
// Steps whose rows differ by at most an eighth take about as long.
constexpr size_t kAlike = 8;
constexpr absl::Duration kMostAhead = absl::Seconds(1);
// After a late step; and after one that was not, so that one slow moment is forgotten.
constexpr double kMore = 2;
constexpr double kLess = 0.99;

bool Alike(size_t a, size_t b) { return std::max(a, b) - std::min(a, b) <= b / kAlike; }

}  // namespace

void StepPacer::End(const Step& step, absl::Time begin, absl::Time end, bool late) {
  if (step.first) {
    return;
  }
  ahead_ = std::clamp(ahead_ * (late ? kMore : kLess), kLeastAhead, kMostAhead);
  if (late || step.decodes == 0) {
    return;
  }
  taken_.push_back({.decodes = step.decodes, .time = end - begin});
  if (taken_.size() > kRemembered) {
    taken_.pop_front();
  }
}

absl::Time StepPacer::NotBefore(const Step& running, absl::Time begin) const {
  int alike = 0;
  absl::Duration shortest = absl::InfiniteDuration();
  for (const Taken& taken : taken_) {
    if (running.decodes > 0 && Alike(taken.decodes, running.decodes)) {
      ++alike;
      shortest = std::min(shortest, taken.time);
    }
  }
  return alike < kLeastAlike ? absl::InfinitePast() : begin + shortest - ahead_;
}

}  // namespace terminus::services::decoder::pipeline
