#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// One process of the cluster.
struct ProcessSpec {
  // Such as "text-0"; unique.
  std::string name;
  // "router", "text" or "vision".
  std::string service;
  // Where it serves, as gRPC names it.
  std::string address;
  // Of the executable and its arguments; arguments[0] is the executable's path.
  std::vector<std::string> arguments;
  // "NAME=value" on top of our own environment, which wins where both have a name.
  std::vector<std::string> environment;
  // stdout and stderr are appended here, after a line that marks the start.
  std::string log_path;
};

// What the supervisor needs of the operating system.
class ProcessHost {
 public:
  virtual ~ProcessHost() = default;
  // Starts it in a process group of its own, so that Ctrl-C reaches the supervisor alone; it is
  // killed when the calling thread ends, however that comes about.
  virtual absl::StatusOr<pid_t> Start(const ProcessSpec& spec) = 0;
  virtual void Signal(pid_t pid, int signal) = 0;
  // The wait status of a child that has ended, which is then forgotten.
  virtual std::optional<int> Reap(pid_t pid) = 0;
};

class RealProcessHost : public ProcessHost {
 public:
  absl::StatusOr<pid_t> Start(const ProcessSpec& spec) override;
  void Signal(pid_t pid, int signal) override;
  std::optional<int> Reap(pid_t pid) override;
};

// Such as "exited with 1" or "killed by SIGSEGV".
std::string DescribeWaitStatus(int status);

// Moves what `path` holds to `path`.1 once it is larger than `max_bytes`, and empties it. Whoever
// has it open for appending goes on at its start; lines written meanwhile may be lost.
absl::Status RotateLog(const std::string& path, int64_t max_bytes);

// The last lines that the process started last has written to its log, at most `max_lines` and
// 8 KiB; empty when the log cannot be read.
std::string TailOfLog(const std::string& path, int max_lines);

}  // namespace terminus::tools::cli
