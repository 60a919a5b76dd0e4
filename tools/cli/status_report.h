#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "terminus/v1/cluster.pb.h"
#include "tools/cli/state_folder.h"

namespace terminus::tools::cli {

// One process of the cluster, from what the router says of it and what its supervisor does. Either
// may know nothing: the router is down, or the process runs on another machine.
struct ProcessStatus {
  std::string name;
  std::string service;
  std::string address;
  // "ready", "idle" (ready, and nothing to serve), "loading", "connecting" or "refused" by the
  // router; "waiting", "failed", … by the supervisor when no process is there.
  std::string state;
  // Why it is not ready.
  std::string detail;
  std::string device;
  std::string metrics_address;
  uint32_t outstanding_batches = 0;
  // Only of processes of this machine.
  std::optional<pid_t> pid;
  std::optional<int> restarts;
  // Proportional set size: shared pages count as shared out among those that map them.
  std::optional<double> pss_mib;
};

struct StatusReport {
  bool ready = false;
  std::string address;
  // Absent when the router does not answer.
  std::optional<v1::GetStatusResponse> router;
  std::vector<ProcessStatus> processes;
};

// Joins both views; the router first, then the replicas in the router's order. `pss` tells a
// process's PSS in MiB.
StatusReport MakeStatusReport(const std::string& address,
                              const std::optional<v1::GetStatusResponse>& router,
                              const std::optional<ClusterRecord>& local,
                              std::optional<double> (*pss)(pid_t));

std::string FormatStatus(const StatusReport& report);
nlohmann::json StatusToJson(const StatusReport& report);

const char* ReplicaStateName(const v1::ReplicaStatus& replica);

// From /proc/PID/smaps_rollup; nothing when that cannot be read.
std::optional<double> ReadPssMib(pid_t pid);

}  // namespace terminus::tools::cli
