#include "tools/cli/state_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace terminus::tools::cli {
namespace {

constexpr size_t kMaxRecordBytes = 1 << 20;

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

ProcessState ParseProcessState(const std::string& name) {
  for (ProcessState state : {ProcessState::kWaiting, ProcessState::kRunning,
                             ProcessState::kStopping, ProcessState::kFailed}) {
    if (name == ProcessStateName(state)) {
      return state;
    }
  }
  return ProcessState::kStopped;
}

}  // namespace

std::string TerminusHome() {
  std::string home = Environment("TERMINUS_HOME");
  return home.empty() ? Environment("HOME") + "/.cache/terminus" : home;
}

std::string StateFolder::DefaultPath() {
  const std::string runtime = Environment("XDG_RUNTIME_DIR");
  return runtime.empty() ? TerminusHome() + "/run" : runtime + "/terminus";
}

absl::Status StateFolder::Create() const {
  std::error_code error;
  std::filesystem::create_directories(path_ + "/logs", error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make the state folder ", path_, ": ",
                                                      error.message(),
                                                      "; choose another with --state DIR"));
  }
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all, error);
  return absl::OkStatus();
}

absl::StatusOr<std::string> StateFolder::SocketAddress(const std::string& name) const {
  const std::string socket = absl::StrCat(path_, "/", name, ".sock");
  constexpr size_t kMaxLength = sizeof(sockaddr_un::sun_path) - 1;
  if (socket.size() > kMaxLength) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the socket ", socket, " would have a path of ", socket.size(),
        " bytes, Unix sockets allow ", kMaxLength, ": choose a shorter folder with --state DIR"));
  }
  return "unix:" + socket;
}

std::optional<pid_t> StateFolder::Holder() const {
  const int fd = open(LockPath().c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return std::nullopt;
  }
  const bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
  close(fd);
  if (!held) {
    return std::nullopt;
  }
  const std::string text = base::ReadFile(LockPath(), 64).value_or("");
  int pid = 0;
  return absl::SimpleAtoi(absl::StripSuffix(text, "\n"), &pid) && pid > 0
             ? std::optional<pid_t>(pid)
             : std::nullopt;
}

absl::StatusOr<StateLock> StateLock::Take(const StateFolder& folder) {
  const std::string path = folder.LockPath();
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  StateLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("a cluster is already running in ", folder.path(), " (process ",
                     folder.Holder().value_or(0), "): stop it with `terminus down --state ",
                     folder.path(), "`, or start another with --state DIR and --listen HOST:PORT"));
  }
  return lock;
}

// Only closed, never unlocked: after a fork the other process may go on holding it.
StateLock::~StateLock() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

absl::Status StateLock::WritePid() const {
  const std::string text = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd_, 0) != 0 ||
      pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return absl::ErrnoToStatus(errno, "cannot write the lock file");
  }
  return absl::OkStatus();
}

absl::Status WriteRecord(const StateFolder& folder, const ClusterRecord& record) {
  nlohmann::json json = {{"supervisor", record.supervisor},
                         {"address", record.address},
                         {"processes", nlohmann::json::array()}};
  for (const ProcessSnapshot& process : record.processes) {
    json["processes"].push_back({{"name", process.name},
                                 {"service", process.service},
                                 {"address", process.address},
                                 {"log", process.log_path},
                                 {"state", ProcessStateName(process.state)},
                                 {"pid", process.pid},
                                 {"restarts", process.restarts},
                                 {"last_exit", process.last_exit}});
  }
  return base::WriteFileAtomic(folder.RecordPath(), json.dump(2) + "\n");
}

absl::StatusOr<ClusterRecord> ReadRecord(const StateFolder& folder) {
  if (!folder.Holder().has_value()) {
    return absl::NotFoundError(
        absl::StrCat("no cluster runs in ", folder.path(), ": start one with `terminus up`"));
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile(folder.RecordPath(), kMaxRecordBytes));
  ClusterRecord record;
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    record.supervisor = json.at("supervisor");
    record.address = json.at("address");
    for (const nlohmann::json& process : json.at("processes")) {
      record.processes.push_back({.name = process.at("name"),
                                  .service = process.at("service"),
                                  .address = process.at("address"),
                                  .log_path = process.at("log"),
                                  .state = ParseProcessState(process.at("state")),
                                  .pid = process.at("pid"),
                                  .restarts = process.at("restarts"),
                                  .last_exit = process.at("last_exit")});
    }
  } catch (const nlohmann::json::exception& error) {
    return absl::DataLossError(absl::StrCat(folder.RecordPath(), ": ", error.what()));
  }
  return record;
}

}  // namespace terminus::tools::cli
