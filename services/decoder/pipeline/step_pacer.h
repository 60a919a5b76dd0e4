#pragma once

#include <cstddef>
#include <deque>

#include "absl/time/time.h"

namespace terminus::services::decoder::pipeline {

// Says when to plan the next step while one is under way: so late that what arrives meanwhile can
// still be in it, so early that the device does not wait for the plan. Only steps that decode are
// foreseen, by those before them with about as many rows. Used by one thread.
class StepPacer {
 public:
  // The facts about a step that are known when it is planned.
  struct Step {
    // Rows, if each is a single token; else 0.
    size_t decodes = 0;
    // No other step was under way: the device waited for work, not for the plan.
    bool first = false;
  };

  // A step has ended, which had the device from `begin` to `end`. `late`: the device had nothing to
  // do when the step was given to it.
  void End(const Step& step, absl::Time begin, absl::Time end, bool late);

  // When to plan the step behind one that has the device from `begin` on; InfinitePast: at once.
  absl::Time NotBefore(const Step& running, absl::Time begin) const;

  // How long before a step's foreseen end the next one is planned: more after each that was late.
  absl::Duration ahead() const { return ahead_; }

 private:
  struct Taken {
    size_t decodes;
    absl::Duration time;
  };

  std::deque<Taken> taken_;  // Newest last.
  absl::Duration ahead_ = kLeastAhead;

  static constexpr absl::Duration kLeastAhead = absl::Milliseconds(3);
};

}  // namespace terminus::services::decoder::pipeline
