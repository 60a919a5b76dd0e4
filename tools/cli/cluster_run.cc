#include "tools/cli/cluster_run.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "tools/cli/ready_watch.h"
#include "tools/cli/startup.h"

namespace terminus::tools::cli {
namespace {

constexpr absl::Duration kLogInterval = absl::Seconds(5);
constexpr absl::Duration kStartupInterval = absl::Milliseconds(50);
constexpr int kTailLines = 15;

// Signals as a file descriptor, so that one poll waits for them and for the time.
class Signals {
 public:
  Signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
      sigaddset(&signals, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() { close(fd_); }

  // Waits until a signal comes or `until`; returns how many ask to stop.
  int Wait(absl::Time until) {
    const absl::Duration left = std::max(absl::ZeroDuration(), until - absl::Now());
    pollfd wait = {.fd = fd_, .events = POLLIN};
    const double milliseconds = std::min(absl::ToDoubleMilliseconds(left), 60'000.0);
    poll(&wait, 1, static_cast<int>(milliseconds) + 1);
    int stops = 0;
    signalfd_siginfo info;
    while (read(fd_, &info, sizeof(info)) == sizeof(info)) {
      stops += info.ssi_signo != SIGCHLD ? 1 : 0;
    }
    return stops;
  }

 private:
  int fd_;
};

class ClusterRun {
 public:
  ClusterRun(const ClusterPlan& plan, const StateFolder& folder, const RunOptions& options)
      : plan_(plan),
        folder_(folder),
        options_(options),
        started_(absl::Now()),
        supervisor_({.lifecycle = options.lifecycle,
                     .on_event = [this](const std::string& line) { Event(line); }},
                    plan.processes, host_, base::RealClock::Get()) {}

  absl::Status Run() {
    // The socket, as a proxy in the environment would be asked for a TCP address.
    watch_ = std::make_unique<ReadyWatch>(plan_.config.router.listen.back());
    while (true) {
      supervisor_.Step();
      Record();
      if (supervisor_.ended()) {
        return result_;
      }
      if (watch_ != nullptr) {
        FollowStartup();
      }
      RotateLogs();
      HandleStops(signals_.Wait(NextWake()));
    }
  }

 private:
  absl::Time NextWake() const {
    const absl::Time wake = std::min(supervisor_.NextWake(), next_log_look_);
    return watch_ != nullptr ? std::min(wake, absl::Now() + kStartupInterval) : wake;
  }

  void HandleStops(int stops) {
    for (int i = 0; i < stops; ++i) {
      if (!supervisor_.stopping()) {
        options_.print("stopping; once more to kill");
        watch_.reset();
        supervisor_.RequestStop();
      } else {
        supervisor_.Kill();
      }
    }
  }

  void FollowStartup() {
    for (const Startup::Change& change :
         startup_.Update(supervisor_.Snapshot(), watch_->Latest())) {
      Print(absl::StrFormat("%-10s %s", change.name, change.state));
    }
    const bool late = absl::Now() - started_ > options_.ready_timeout;
    switch (startup_.phase()) {
      case StartupPhase::kReady:
        Served();
        return;
      case StartupPhase::kServing:
        if (late) {
          Print(absl::StrCat("serving, though ", startup_.Unready()));
          Served();
        }
        return;
      case StartupPhase::kFailed:
        Fail(FailureOfProcess());
        return;
      case StartupPhase::kStarting:
        if (late) {
          Fail(absl::DeadlineExceededError(absl::StrCat(
              "the cluster was not ready after ", absl::FormatDuration(options_.ready_timeout),
              ": ", startup_.Unready(), "; the logs are in ", folder_.path(), "/logs")));
        }
        return;
    }
  }

  void Served() {
    watch_.reset();
    supervisor_.SetServed();
    if (absl::Status status = options_.on_ready(absl::Now() - started_); !status.ok()) {
      Fail(std::move(status));
    }
  }

  void Fail(absl::Status status) {
    result_ = std::move(status);
    watch_.reset();
    supervisor_.RequestStop();
  }

  absl::Status FailureOfProcess() const {
    for (const ProcessSnapshot& process : supervisor_.Snapshot()) {
      if (process.state == ProcessState::kFailed) {
        return absl::InternalError(absl::StrCat(
            process.name, " ", process.last_exit, process.refused ? "" : " again and again",
            "; the end of its log ", process.log_path, ":\n  ",
            absl::StrReplaceAll(TailOfLog(process.log_path, kTailLines), {{"\n", "\n  "}})));
      }
    }
    return absl::InternalError("a process failed");
  }

  // What happens before the cluster is ready shows as changes of state; while it stops, only what
  // does not go as it should is worth a line.
  void Event(const std::string& line) {
    if (watch_ == nullptr && !supervisor_.stopping()) {
      Print(line);
    }
  }

  void Print(const std::string& line) {
    options_.print(
        absl::StrFormat("%6.1f s  %s", absl::ToDoubleSeconds(absl::Now() - started_), line));
  }

  void Record() {
    ClusterRecord record{
        .supervisor = getpid(), .address = plan_.address, .processes = supervisor_.Snapshot()};
    if (record.processes == recorded_) {
      return;
    }
    if (absl::Status status = WriteRecord(folder_, record); !status.ok()) {
      Print(std::string(status.message()));
    }
    recorded_ = std::move(record.processes);
  }

  void RotateLogs() {
    if (absl::Now() < next_log_look_) {
      return;
    }
    next_log_look_ = absl::Now() + kLogInterval;
    std::vector<std::string> logs = {folder_.LogPath("up")};
    for (const ProcessSpec& process : plan_.processes) {
      logs.push_back(process.log_path);
    }
    for (const std::string& log : logs) {
      if (absl::Status status = RotateLog(log, options_.max_log_bytes); !status.ok()) {
        Print(std::string(status.message()));
      }
    }
  }

  const ClusterPlan& plan_;
  const StateFolder& folder_;
  const RunOptions& options_;
  const absl::Time started_;
  // Before any thread starts, so that all inherit the blocked signals.
  Signals signals_;
  RealProcessHost host_;
  Supervisor supervisor_;
  Startup startup_;
  // Until the cluster has served.
  std::unique_ptr<ReadyWatch> watch_;
  absl::Status result_;
  std::vector<ProcessSnapshot> recorded_;
  absl::Time next_log_look_ = absl::InfinitePast();
};

}  // namespace

absl::Status RunCluster(const ClusterPlan& plan, const StateFolder& folder,
                        const RunOptions& options) {
  return ClusterRun(plan, folder, options).Run();
}

}  // namespace terminus::tools::cli
