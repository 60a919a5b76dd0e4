#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "terminus/v1/cluster.pb.h"
#include "tools/cli/supervisor.h"

namespace terminus::tools::cli {

// How far the start of a cluster is.
enum class StartupPhase {
  kStarting,
  // The router serves, though some replica is not ready.
  kServing,
  // Every replica is ready.
  kReady,
  // A process was given up.
  kFailed,
};

// Follows the start from the supervisor's and the router's view. Not thread-safe.
class Startup {
 public:
  struct Change {
    std::string name;
    // Such as "loading" or "waiting (exited with 1)".
    std::string state;
  };

  // Takes in what is known now. Returns the processes whose state differs from the last call's.
  std::vector<Change> Update(const std::vector<ProcessSnapshot>& processes,
                             const std::optional<v1::GetStatusResponse>& router);

  StartupPhase phase() const { return phase_; }
  // The processes that are not ready, each with its state, such as "text-0 is loading".
  std::string Unready() const;

 private:
  StartupPhase phase_ = StartupPhase::kStarting;
  std::map<std::string, std::string> states_;
};

}  // namespace terminus::tools::cli
