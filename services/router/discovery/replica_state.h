#pragma once

#include "absl/strings/string_view.h"

// The lifecycle of a replica as a table.
namespace terminus::services::router::discovery {

enum class State {
  // Not reachable yet, or not any more.
  kConnecting,
  // It answers, but its model is not loaded and verified yet.
  kLoading,
  // What it is fits; its health is being watched and does not say SERVING.
  kVerified,
  // Batches are sent to it.
  kReady,
  // What it is does not fit the cluster.
  kRefused,
};

// It fits the cluster.
inline bool IsAccepted(State state) { return state == State::kVerified || state == State::kReady; }

enum class Event {
  // Describe was answered: it fits, or it is still loading, or it does not fit.
  kAccepted,
  kStillLoading,
  kMismatch,
  // Describe was not answered.
  kUnreachable,
  // Its health, watched.
  kServing,
  kNotServing,
  // The watch ended, or a batch found it gone.
  kLost,
};

enum class Action {
  kNone,
  // Ask it to describe itself, after a pause.
  kDescribeLater,
  // Watch its health.
  kWatch,
  // Give it to the pool.
  kPublish,
  // Take it from the pool if it is there, end the watch, and ask again after a pause.
  kStartOver,
};

struct Step {
  State next;
  Action action;
};

// Total: an event that cannot come in a state changes nothing.
Step Advance(State state, Event event);

absl::string_view StateName(State state);

}  // namespace terminus::services::router::discovery
