#include "tools/cli/supervisor.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/exit_code.h"

namespace terminus::tools::cli {

Supervisor::Supervisor(Options options, std::vector<ProcessSpec> specs, ProcessHost& host,
                       const base::Clock& clock)
    : options_(std::move(options)), host_(host), clock_(clock) {
  for (ProcessSpec& spec : specs) {
    processes_.push_back({.spec = std::move(spec),
                          .lifecycle = Lifecycle(options_.lifecycle, clock_.Now()),
                          .pid = 0,
                          .last_exit = ""});
  }
}

void Supervisor::Step() {
  for (Process& process : processes_) {
    Reap(process);
  }
  if (stopping_) {
    StopNextService();
  }
  for (Process& process : processes_) {
    Act(process, process.lifecycle.Tick(clock_.Now()));
  }
}

absl::Time Supervisor::NextWake() const {
  absl::Time next = absl::InfiniteFuture();
  for (const Process& process : processes_) {
    next = std::min(next, process.lifecycle.wake_at());
  }
  return next;
}

void Supervisor::SetServed() {
  for (Process& process : processes_) {
    process.lifecycle.SetServed();
  }
}

void Supervisor::RequestStop() {
  stopping_ = true;
  // What is not running must not be started again while its turn has not come.
  for (Process& process : processes_) {
    if (process.lifecycle.state() == ProcessState::kWaiting) {
      process.lifecycle.Stop(clock_.Now());
    }
  }
  StopNextService();
}

void Supervisor::Kill() {
  RequestStop();
  for (Process& process : processes_) {
    if (process.pid != 0) {
      process.lifecycle.Stop(clock_.Now());
      host_.Signal(process.pid, SIGKILL);
    }
  }
}

bool Supervisor::ended() const {
  return std::all_of(processes_.begin(), processes_.end(),
                     [](const Process& process) { return process.lifecycle.ended(); });
}

std::vector<ProcessSnapshot> Supervisor::Snapshot() const {
  std::vector<ProcessSnapshot> all;
  for (const Process& process : processes_) {
    all.push_back({.name = process.spec.name,
                   .service = process.spec.service,
                   .address = process.spec.address,
                   .log_path = process.spec.log_path,
                   .state = process.lifecycle.state(),
                   .pid = process.pid,
                   .restarts = std::max(0, process.lifecycle.starts() - 1),
                   .refused = process.lifecycle.refused(),
                   .last_exit = process.last_exit});
  }
  return all;
}

void Supervisor::Reap(Process& process) {
  if (process.pid == 0) {
    return;
  }
  const std::optional<int> status = host_.Reap(process.pid);
  if (!status.has_value()) {
    return;
  }
  process.pid = 0;
  process.last_exit = DescribeWaitStatus(*status);
  process.lifecycle.Exited(clock_.Now(),
                           WIFEXITED(*status) && WEXITSTATUS(*status) == base::kExitRefused);
  if (process.lifecycle.state() == ProcessState::kStopped) {
    Report(process, "stopped");
    return;
  }
  Report(process, process.last_exit);
  if (stopping_) {
    // It fell before its turn: no restart any more.
    process.lifecycle.Stop(clock_.Now());
  }
}

void Supervisor::Act(Process& process, Lifecycle::Action action) {
  switch (action) {
    case Lifecycle::Action::kNone:
      return;
    case Lifecycle::Action::kStart: {
      absl::StatusOr<pid_t> pid = host_.Start(process.spec);
      if (!pid.ok()) {
        process.last_exit = std::string(pid.status().message());
        process.lifecycle.Exited(clock_.Now());
        Report(process, process.last_exit);
        return;
      }
      process.pid = *pid;
      process.lifecycle.Started(clock_.Now());
      return;
    }
    case Lifecycle::Action::kTerminate:
      host_.Signal(process.pid, SIGTERM);
      return;
    case Lifecycle::Action::kKill:
      Report(process, "does not stop, killing it");
      host_.Signal(process.pid, SIGKILL);
      return;
  }
}

void Supervisor::StopNextService() {
  const auto first = std::find_if(processes_.begin(), processes_.end(), [](const Process& process) {
    return !process.lifecycle.ended();
  });
  if (first == processes_.end()) {
    return;
  }
  for (Process& process : processes_) {
    if (process.spec.service == first->spec.service) {
      Act(process, process.lifecycle.Stop(clock_.Now()));
    }
  }
}

void Supervisor::Report(const Process& process, const std::string& what) {
  if (!options_.on_event) {
    return;
  }
  std::string line = absl::StrCat(process.spec.name, " ", what);
  if (process.lifecycle.state() == ProcessState::kWaiting && !stopping_) {
    absl::StrAppend(&line, ", restarting in ",
                    absl::FormatDuration(absl::Trunc(process.lifecycle.wake_at() - clock_.Now(),
                                                     absl::Milliseconds(1))));
  } else if (process.lifecycle.state() == ProcessState::kFailed) {
    absl::StrAppend(&line, process.lifecycle.refused()
                               ? ", giving up: another start would change nothing"
                               : absl::StrCat(", giving up after ", process.lifecycle.failures(),
                                              " failures in a row"));
  }
  options_.on_event(line);
}

}  // namespace terminus::tools::cli
