#include "services/decoder/grid/processes.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::grid {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr absl::Duration kLook = absl::Milliseconds(10);

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) {
    pointers.push_back(string.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> Spawn(const RankProcesses::Command& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = command.environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C reaches the front alone, which ends its ranks. The front's blocked
  // signals would stay blocked.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments.front().c_str(), nullptr, &attributes,
                                Pointers(arguments).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot start ", arguments.front(), ": ", strerror(error)));
  }
  return pid;
}

std::string Describe(int status) {
  return WIFSIGNALED(status) ? absl::StrCat("was killed by signal ", WTERMSIG(status))
                             : absl::StrCat("exited with ", WEXITSTATUS(status));
}

}  // namespace

RankProcesses::RankProcesses(std::vector<Command> commands)
    : commands_(std::move(commands)), pids_(commands_.size(), -1) {}

void RankProcesses::Kill(const std::set<int>& ranks) {
  for (const int rank : ranks) {
    pid_t& pid = pids_[static_cast<size_t>(rank)];
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      pid = -1;
    }
  }
}

absl::Status RankProcesses::StartMissing() {
  // Those that have ended meanwhile.
  Check().IgnoreError();
  for (size_t rank = 0; rank < pids_.size(); ++rank) {
    if (pids_[rank] < 0) {
      TERMINUS_ASSIGN_OR_RETURN(pids_[rank], Spawn(commands_[rank]));
    }
  }
  return absl::OkStatus();
}

RankProcesses::~RankProcesses() {
  const absl::Time deadline = absl::Now() + kPatience;
  const auto left = [this] {
    return std::any_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid > 0; });
  };
  while (left() && absl::Now() < deadline) {
    Check().IgnoreError();
    absl::SleepFor(kLook);
  }
  std::set<int> all;
  for (size_t rank = 0; rank < pids_.size(); ++rank) {
    all.insert(static_cast<int>(rank));
  }
  Kill(all);
}

absl::Status RankProcesses::Check() {
  absl::Status ended;
  for (size_t rank = 0; rank < pids_.size(); ++rank) {
    int status = 0;
    if (pids_[rank] > 0 && waitpid(pids_[rank], &status, WNOHANG) == pids_[rank]) {
      pids_[rank] = -1;
      ended.Update(absl::UnavailableError(absl::StrCat("rank ", rank, " ", Describe(status))));
    }
  }
  return ended;
}

}  // namespace terminus::services::decoder::grid
