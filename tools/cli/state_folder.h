#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/cli/supervisor.h"

namespace terminus::tools::cli {

// The folder in which a local cluster keeps its sockets, logs, config and who runs:
//   terminus.yaml    the config that the processes read
//   cluster.json     what the supervisor last knew (ClusterRecord)
//   lock             held by the supervisor while it lives
//   NAME.sock, logs/NAME.log
class StateFolder {
 public:
  explicit StateFolder(std::string path) : path_(std::move(path)) {}

  // The default: $XDG_RUNTIME_DIR/terminus, else run in TERMINUS_HOME.
  static std::string DefaultPath();

  // Makes the folder, readable by its owner alone.
  absl::Status Create() const;

  const std::string& path() const { return path_; }
  std::string ConfigPath() const { return path_ + "/terminus.yaml"; }
  std::string RecordPath() const { return path_ + "/cluster.json"; }
  std::string LockPath() const { return path_ + "/lock"; }
  std::string LogPath(const std::string& name) const { return path_ + "/logs/" + name + ".log"; }

  // "unix:/…/NAME.sock", or INVALID_ARGUMENT when the path is longer than Unix sockets allow.
  absl::StatusOr<std::string> SocketAddress(const std::string& name) const;

  // Process that holds the lock, if any does.
  std::optional<pid_t> Holder() const;

 private:
  std::string path_;
};

// Held from Take until destruction; a process that forks passes it on.
class StateLock {
 public:
  // FAILED_PRECONDITION when a living cluster has it, saying how to stop that.
  static absl::StatusOr<StateLock> Take(const StateFolder& folder);
  StateLock(StateLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

  // Writes our own id into it: after a fork, by the process that goes on.
  absl::Status WritePid() const;

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_;
};

// What the supervisor tells other processes, in cluster.json.
struct ClusterRecord {
  pid_t supervisor = 0;
  // Where clients reach the router.
  std::string address;
  std::vector<ProcessSnapshot> processes;
};

absl::Status WriteRecord(const StateFolder& folder, const ClusterRecord& record);
// The record of the running cluster; NOT_FOUND when none runs in this folder.
absl::StatusOr<ClusterRecord> ReadRecord(const StateFolder& folder);

// TERMINUS_HOME: downloads, models and caches; ~/.cache/terminus by default.
std::string TerminusHome();

}  // namespace terminus::tools::cli
