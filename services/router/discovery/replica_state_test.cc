#include "services/router/discovery/replica_state.h"

#include <gtest/gtest.h>

namespace terminus::services::router::discovery {
namespace {

constexpr State kStates[] = {State::kConnecting, State::kLoading, State::kVerified, State::kReady,
                             State::kRefused};
constexpr Event kEvents[] = {Event::kAccepted,    Event::kStillLoading, Event::kMismatch,
                             Event::kUnreachable, Event::kServing,      Event::kNotServing,
                             Event::kLost};

bool AsksAgain(Action action) {
  return action == Action::kDescribeLater || action == Action::kStartOver;
}

// A replica that is neither asked again nor watched would be forgotten.
TEST(ReplicaStateTest, EveryStateKeepsLooking) {
  for (State state : kStates) {
    for (Event event : kEvents) {
      const Step step = Advance(state, event);
      const bool watched = step.next == State::kVerified || step.next == State::kReady;
      if (step.action == Action::kNone) {
        EXPECT_EQ(step.next, state);
      } else {
        EXPECT_NE(watched, AsksAgain(step.action))
            << StateName(state) << " -> " << StateName(step.next);
      }
    }
  }
}

TEST(ReplicaStateTest, OnlyAServingReplicaThatFitsIsPublished) {
  for (State state : kStates) {
    for (Event event : kEvents) {
      const bool publishes = Advance(state, event).action == Action::kPublish;
      EXPECT_EQ(publishes, state == State::kVerified && event == Event::kServing);
    }
  }
}

TEST(ReplicaStateTest, WhatMakesAReadyReplicaUnfitWithdrawsIt) {
  for (Event event : {Event::kNotServing, Event::kMismatch, Event::kLost}) {
    EXPECT_EQ(Advance(State::kReady, event).action, Action::kStartOver);
  }
}

TEST(ReplicaStateTest, RefusedReplicaMayComeBack) {
  EXPECT_EQ(Advance(State::kRefused, Event::kAccepted).next, State::kVerified);
}

}  // namespace
}  // namespace terminus::services::router::discovery
