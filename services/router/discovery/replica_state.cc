#include "services/router/discovery/replica_state.h"

namespace terminus::services::router::discovery {
namespace {

struct Row {
  State state;
  Event event;
  Step step;
};

// clang-format off
constexpr Row kTable[] = {
    {State::kConnecting, Event::kAccepted,     {State::kVerified,   Action::kWatch}},
    {State::kConnecting, Event::kStillLoading, {State::kLoading,    Action::kDescribeLater}},
    {State::kConnecting, Event::kMismatch,     {State::kRefused,    Action::kDescribeLater}},
    {State::kConnecting, Event::kUnreachable,  {State::kConnecting, Action::kDescribeLater}},

    {State::kLoading,    Event::kAccepted,     {State::kVerified,   Action::kWatch}},
    {State::kLoading,    Event::kStillLoading, {State::kLoading,    Action::kDescribeLater}},
    {State::kLoading,    Event::kMismatch,     {State::kRefused,    Action::kDescribeLater}},
    {State::kLoading,    Event::kUnreachable,  {State::kConnecting, Action::kDescribeLater}},

    {State::kVerified,   Event::kServing,      {State::kReady,      Action::kPublish}},
    // The watch is ended here too: a process that drains waits for its open calls.
    {State::kVerified,   Event::kNotServing,   {State::kLoading,    Action::kStartOver}},
    {State::kVerified,   Event::kMismatch,     {State::kRefused,    Action::kStartOver}},
    {State::kVerified,   Event::kLost,         {State::kConnecting, Action::kStartOver}},

    {State::kReady,      Event::kNotServing,   {State::kLoading,    Action::kStartOver}},
    {State::kReady,      Event::kMismatch,     {State::kRefused,    Action::kStartOver}},
    {State::kReady,      Event::kLost,         {State::kConnecting, Action::kStartOver}},

    // It may have been restarted with what fits.
    {State::kRefused,    Event::kAccepted,     {State::kVerified,   Action::kWatch}},
    {State::kRefused,    Event::kStillLoading, {State::kLoading,    Action::kDescribeLater}},
    {State::kRefused,    Event::kMismatch,     {State::kRefused,    Action::kDescribeLater}},
    {State::kRefused,    Event::kUnreachable,  {State::kConnecting, Action::kDescribeLater}},
};
// clang-format on

}  // namespace

Step Advance(State state, Event event) {
  for (const Row& row : kTable) {
    if (row.state == state && row.event == event) {
      return row.step;
    }
  }
  return {state, Action::kNone};
}

absl::string_view StateName(State state) {
  switch (state) {
    case State::kConnecting:
      return "connecting";
    case State::kLoading:
      return "loading";
    case State::kVerified:
      return "verified";
    case State::kReady:
      return "ready";
    case State::kRefused:
      return "refused";
  }
  return "unknown";
}

}  // namespace terminus::services::router::discovery
