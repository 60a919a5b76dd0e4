#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

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

  // `commands[rank]` starts a rank. Its output goes where this process's goes.
  explicit RankProcesses(std::vector<Command> commands);

  // Waits for them for a while, as they end when the front leaves them, and then kills those left.
  ~RankProcesses();

  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;

  // Kills these ranks, and waits for their ends.
  void Kill(const std::set<int>& ranks);

  // Starts every rank that does not run.
  absl::Status StartMissing();

  // UNAVAILABLE: one has ended; says which, and how.
  absl::Status Check();

 private:
  const std::vector<Command> commands_;
  // By rank; -1: it does not run.
  std::vector<pid_t> pids_;
};

}  // namespace terminus::services::decoder::grid
