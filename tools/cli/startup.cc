#include "tools/cli/startup.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/cli/status_report.h"

namespace terminus::tools::cli {
namespace {

std::string StateOf(const ProcessSnapshot& process,
                    const std::optional<v1::GetStatusResponse>& router) {
  if (process.pid == 0) {
    return absl::StrCat(ProcessStateName(process.state), process.last_exit.empty() ? "" : " (",
                        process.last_exit, process.last_exit.empty() ? "" : ")");
  }
  if (!router.has_value()) {
    return "starting";
  }
  if (process.service == "router") {
    return "ready";
  }
  for (const v1::ReplicaStatus& replica : router->replicas()) {
    if (replica.address() == process.address) {
      const bool refused = replica.state() == v1::REPLICA_STATE_REFUSED;
      return absl::StrCat(ReplicaStateName(replica), refused ? ": " : "",
                          refused ? replica.detail() : "");
    }
  }
  return "starting";
}

// An idle one has nothing to wait for.
bool IsReady(const std::string& state) { return state == "ready" || state == "idle"; }

}  // namespace

std::vector<Startup::Change> Startup::Update(const std::vector<ProcessSnapshot>& processes,
                                             const std::optional<v1::GetStatusResponse>& router) {
  std::vector<Change> changes;
  bool all_ready = true;
  bool failed = false;
  for (const ProcessSnapshot& process : processes) {
    const std::string state = StateOf(process, router);
    all_ready = all_ready && IsReady(state);
    failed = failed || process.state == ProcessState::kFailed;
    std::string& known = states_[process.name];
    if (known != state) {
      known = state;
      changes.push_back({.name = process.name, .state = state});
    }
  }
  const bool serving = router.has_value() && router->ready();
  phase_ = failed                 ? StartupPhase::kFailed
           : serving && all_ready ? StartupPhase::kReady
           : serving              ? StartupPhase::kServing
                                  : StartupPhase::kStarting;
  return changes;
}

std::string Startup::Unready() const {
  std::vector<std::string> unready;
  for (const auto& [name, state] : states_) {
    if (!IsReady(state)) {
      unready.push_back(absl::StrCat(name, " is ", state));
    }
  }
  return absl::StrJoin(unready, ", ");
}

}  // namespace terminus::tools::cli
