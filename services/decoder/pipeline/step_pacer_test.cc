#include "services/decoder/pipeline/step_pacer.h"

#include <gtest/gtest.h>

namespace terminus::services::decoder::pipeline {
namespace {

const absl::Time kBegin = absl::UnixEpoch();
constexpr absl::Duration kStep = absl::Milliseconds(20);
constexpr StepPacer::Step kDecodes = {.decodes = 64};

// A pacer that has seen so many steps of 64 rows.
StepPacer Seen(int steps) {
  StepPacer pacer;
  for (int i = 0; i < steps; ++i) {
    pacer.End(kDecodes, kBegin, kBegin + kStep, /*late=*/false);
  }
  return pacer;
}

TEST(StepPacerTest, AStepThatIsForeseenIsFollowedShortlyBeforeItsEnd) {
  const StepPacer pacer = Seen(3);
  EXPECT_EQ(pacer.NotBefore(kDecodes, kBegin), kBegin + kStep - pacer.ahead());
  EXPECT_LT(pacer.ahead(), kStep);
}

TEST(StepPacerTest, TheShortestOfThoseBeforeCounts) {
  StepPacer pacer = Seen(5);
  pacer.End(kDecodes, kBegin, kBegin + kStep / 2, /*late=*/false);
  EXPECT_EQ(pacer.NotBefore(kDecodes, kBegin), kBegin + kStep / 2 - pacer.ahead());
}

TEST(StepPacerTest, WhatIsNotForeseenIsFollowedAtOnce) {
  EXPECT_EQ(Seen(2).NotBefore(kDecodes, kBegin), absl::InfinitePast()) << "too few";
  EXPECT_EQ(Seen(9).NotBefore({.decodes = 0}, kBegin), absl::InfinitePast()) << "a prompt";
  EXPECT_EQ(Seen(9).NotBefore({.decodes = 80}, kBegin), absl::InfinitePast()) << "other rows";
  EXPECT_NE(Seen(9).NotBefore({.decodes = 66}, kBegin), absl::InfinitePast());
}

TEST(StepPacerTest, ALateStepMakesTheNextPlansEarlierForAWhile) {
  StepPacer pacer = Seen(9);
  const absl::Duration least = pacer.ahead();
  pacer.End(kDecodes, kBegin, kBegin + 3 * kStep, /*late=*/true);
  EXPECT_EQ(pacer.ahead(), 2 * least);
  EXPECT_EQ(pacer.NotBefore(kDecodes, kBegin), kBegin + kStep - 2 * least)
      << "its time, which began before it had the device, does not count";
  for (int i = 0; i < 200; ++i) {
    pacer.End(kDecodes, kBegin, kBegin + kStep, /*late=*/false);
  }
  EXPECT_EQ(pacer.ahead(), least);
}

TEST(StepPacerTest, ADeviceThatHadNoWorkWasNotKeptWaiting) {
  StepPacer pacer = Seen(9);
  const absl::Duration least = pacer.ahead();
  pacer.End({.decodes = 64, .first = true}, kBegin, kBegin + kStep / 4, /*late=*/true);
  EXPECT_EQ(pacer.ahead(), least);
  EXPECT_EQ(pacer.NotBefore(kDecodes, kBegin), kBegin + kStep - least);
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
