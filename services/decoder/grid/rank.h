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
  // Looks whether to look for a front any longer; an error ends the rank. May be null.
  std::function<absl::Status()> check;
  // Until all ranks are connected with each other.
  absl::Duration meet_patience = absl::Minutes(10);
  Channel::Options channel;
  // Calls a body on the thread that owns the device, and makes a status of what it throws.
  pipeline::StepLoop::Guard guard;
};

// A rank's connections with the others.
struct Meeting {
  // All ranks, by their numbers.
  std::shared_ptr<collective::Communicator> world;
  // The ranks of this rank's stage, by their places in it. Null where it is the only one.
  std::shared_ptr<collective::Communicator> stage;
};

// A rank's part of the model, once loaded.
struct LoadedRank {
  // Makes its runner. Called again after another rank was lost, when the earlier runner is gone.
  std::function<absl::StatusOr<std::unique_ptr<models::decoder::StepRunner>>(const Meeting&)>
      make_runner;
  // The rules that the runner applies.
  models::sampling::LogitRules rules;
  // Whether it can still be used after a loss. Else it is loaded again.
  bool survives = true;
};
using LoadRank =
    std::function<absl::StatusOr<LoadedRank>(const Placement& placement, const Meeting& meeting)>;

// Joins a grid and executes its steps on the calling thread, which owns the device, until the front
// ends it: OK. When another rank or the front is lost, the rank joins again with the part that it
// has loaded. An error says why it cannot go on: it was refused, its part did not load, a step
// failed, or no front was found any more. All that the rank had is freed on return.
absl::Status RunRank(const RankOptions& options, const LoadRank& load);

}  // namespace terminus::services::decoder::grid
