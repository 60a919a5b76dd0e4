#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "tools/cli/lifecycle.h"
#include "tools/cli/process_host.h"

namespace terminus::tools::cli {

// What is known of a supervised process at a moment.
struct ProcessSnapshot {
  std::string name;
  std::string service;
  std::string address;
  std::string log_path;
  ProcessState state = ProcessState::kWaiting;
  // 0 while there is none.
  pid_t pid = 0;
  int restarts = 0;
  // Given up because it said that it cannot work as it was started.
  bool refused = false;
  // How it ended last, such as "killed by SIGKILL"; empty when it never did.
  std::string last_exit;

  friend bool operator==(const ProcessSnapshot&, const ProcessSnapshot&) = default;
};

// Keeps a set of processes running, and takes them down in order. Does its work in Step, which
// never blocks; the caller calls it when a child ends and when NextWake has come. Not thread-safe;
// Step must always be called by the same thread, as the children die with it.
class Supervisor {
 public:
  struct Options {
    LifecycleOptions lifecycle;
    // Called with one line about what happened, such as "text-0 killed by SIGSEGV, restarting".
    std::function<void(const std::string&)> on_event;
  };

  // `host` and `clock` must outlive it. Processes are told to stop in the order of `specs`, all of
  // a service together, and a service only when those before it have ended: the router, listed
  // first, can so finish its calls.
  Supervisor(Options options, std::vector<ProcessSpec> specs, ProcessHost& host,
             const base::Clock& clock);

  void Step();
  absl::Time NextWake() const;

  // Every process has worked: from now on each is restarted without end.
  void SetServed();
  // Begins to stop all.
  void RequestStop();
  // Kills what is still running, at once. Implies RequestStop.
  void Kill();

  bool stopping() const { return stopping_; }
  // No process is left and none will be started.
  bool ended() const;
  std::vector<ProcessSnapshot> Snapshot() const;

 private:
  struct Process {
    ProcessSpec spec;
    Lifecycle lifecycle;
    pid_t pid = 0;
    std::string last_exit;
  };

  void Reap(Process& process);
  void Act(Process& process, Lifecycle::Action action);
  void StopNextService();
  void Report(const Process& process, const std::string& what);

  const Options options_;
  ProcessHost& host_;
  const base::Clock& clock_;
  std::vector<Process> processes_;
  bool stopping_ = false;
};

}  // namespace terminus::tools::cli
