#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/collective/communicator.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/rules.h"
#include "services/decoder/grid/channel.h"
#include "services/decoder/grid/handshake.h"
#include "services/decoder/pipeline/step_loop.h"

namespace terminus::services::decoder::grid {

struct RankOptions {
  // Where the front listens: host:port or unix:/path.
  std::string front;
  std::string secret;
  int rank = 0;
  Terms terms;
  // Until the welcome, which needs all ranks.
  absl::Duration join_patience = absl::Minutes(2);
  // Until all ranks are connected with each other, once this one has loaded its part.
  absl::Duration meet_patience = absl::Minutes(10);
  Channel::Options channel;
  // Calls a body on the thread that owns the device, and makes a status of what it throws.
  pipeline::StepLoop::Guard guard;
};

// A rank's part of the model, once loaded.
struct LoadedRank {
  // Makes its runner, which is connected with the other ranks. Called again after another rank was
  // lost, when the earlier runner is gone.
  std::function<absl::StatusOr<std::unique_ptr<models::decoder::StepRunner>>(
      std::shared_ptr<collective::Communicator>)>
      make_runner;
  // The rules that the runner applies.
  models::sampling::LogitRules rules;
};
using LoadRank = std::function<absl::StatusOr<LoadedRank>(const Placement& placement)>;

// Joins a grid and executes its steps on the calling thread, which owns the device, until the front
// ends it: OK. When another rank or the front is lost, the rank joins again with the part that it
// has loaded. An error says why it cannot go on: it was refused, its part did not load, a step
// failed, or no front was found any more. All that the rank had is freed on return.
absl::Status RunRank(const RankOptions& options, const LoadRank& load);

}  // namespace terminus::services::decoder::grid
