#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/loadgen/histogram.h"

namespace terminus::tools::loadgen {

// What came of one call.
struct CallOutcome {
  absl::StatusCode code = absl::StatusCode::kOk;
  // Of an OK call: its items by their own code.
  std::map<absl::StatusCode, int64_t> items;
};

// Starts call number `sequence` (from 0, over all clients) of client `client`. Must call `done`
// exactly once, from any thread but never from inside itself, and within a deadline of its own.
using DoneCallback = std::function<void(const CallOutcome&)>;
using StartCall = std::function<void(int client, int64_t sequence, DoneCallback done)>;

struct LoopOptions {
  // Each has one call in flight, and starts the next when that has been answered.
  int clients = 1;
  // Calls answered during this time are not counted.
  absl::Duration warmup = absl::Seconds(1);
  absl::Duration duration = absl::Seconds(10);
  // After `duration`: how long to wait for the calls in flight.
  absl::Duration drain = absl::Seconds(60);
};

// What was answered between the end of the warm-up and the end of the run.
struct LoadReport {
  absl::Duration measured;
  int64_t calls_ok = 0;
  int64_t items_ok = 0;
  // Failed calls by code, and failed items of OK calls by code.
  std::map<absl::StatusCode, int64_t> call_errors;
  std::map<absl::StatusCode, int64_t> item_errors;
  // Of OK calls, from start to answer.
  Histogram latency;

  double calls_per_second() const;
  double items_per_second() const;
};

// Runs closed-loop load and blocks until it is over: every call has been answered, and nothing of
// `start` is left on another thread. DEADLINE_EXCEEDED when calls are still unanswered after
// `drain`; their `done` may still be called later.
absl::StatusOr<LoadReport> RunClosedLoop(const LoopOptions& options, StartCall start);

}  // namespace terminus::tools::loadgen
