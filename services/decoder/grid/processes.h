#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::services::decoder::grid {

// The ranks of a grid as child processes of its front. Used by one thread at a time.
class RankProcesses {
 public:
  struct Command {
    // The executable's path and its arguments.
    std::vector<std::string> arguments;
    // "NAME=value", on top of this process's environment.
    std::vector<std::string> environment;
  };

  // Starts `commands[rank]` for each rank. Their output goes where this process's goes.
  static absl::StatusOr<std::unique_ptr<RankProcesses>> Start(const std::vector<Command>& commands);

  // Waits for them for a while, as they end when the front leaves them, and then kills those left.
  ~RankProcesses();

  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;

  // UNAVAILABLE: one has ended; says which, and how.
  absl::Status Check();

  const std::vector<pid_t>& pids() const { return pids_; }

 private:
  RankProcesses() = default;

  // -1: it has been waited for.
  std::vector<pid_t> pids_;
};

}  // namespace terminus::services::decoder::grid
