#include "tools/cli/status_report.h"

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

ProcessStatus* FindByAddress(std::vector<ProcessStatus>& processes, const std::string& address) {
  const auto found =
      std::find_if(processes.begin(), processes.end(),
                   [&](const ProcessStatus& process) { return process.address == address; });
  return found == processes.end() ? nullptr : &*found;
}

void AddLocal(const ProcessSnapshot& local, std::optional<double> (*pss)(pid_t),
              std::vector<ProcessStatus>& processes) {
  ProcessStatus* process = FindByAddress(processes, local.address);
  if (process == nullptr) {
    processes.push_back({.service = local.service, .address = local.address});
    process = &processes.back();
  }
  process->name = local.name;
  process->pid = local.pid;
  process->restarts = local.restarts;
  if (local.pid != 0) {
    process->pss_mib = pss(local.pid);
    if (process->state.empty()) {
      process->state = ProcessStateName(local.state);
    }
  } else {
    process->state = ProcessStateName(local.state);
    process->detail = local.last_exit;
  }
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

template <typename T>
std::string OrDash(const std::optional<T>& value) {
  return value.has_value() ? absl::StrCat(*value) : "-";
}

}  // namespace

const char* ReplicaStateName(const v1::ReplicaStatus& replica) {
  switch (replica.state()) {
    case v1::REPLICA_STATE_CONNECTING:
      return "connecting";
    case v1::REPLICA_STATE_LOADING:
      return "loading";
    case v1::REPLICA_STATE_READY:
      return replica.idle() ? "idle" : "ready";
    case v1::REPLICA_STATE_REFUSED:
      return "refused";
    default:
      return "unknown";
  }
}

std::optional<double> ReadPssMib(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/smaps_rollup"));
  std::string word;
  while (file >> word) {
    double kib = 0;
    if (word == "Pss:" && file >> kib) {
      return kib / 1024;
    }
  }
  return std::nullopt;
}

StatusReport MakeStatusReport(const std::string& address,
                              const std::optional<v1::GetStatusResponse>& router,
                              const std::optional<ClusterRecord>& local,
                              std::optional<double> (*pss)(pid_t)) {
  StatusReport report{.address = address, .router = router};
  if (router.has_value()) {
    report.ready = router->ready();
    report.processes.push_back({.name = "router",
                                .service = "router",
                                .address = address,
                                .state = router->ready() ? "ready" : "running",
                                .metrics_address = router->metrics_address()});
    for (const v1::ReplicaStatus& replica : router->replicas()) {
      report.processes.push_back({.name = replica.address(),
                                  .service = replica.service(),
                                  .address = replica.address(),
                                  .state = ReplicaStateName(replica),
                                  .detail = replica.detail(),
                                  .device = replica.device(),
                                  .metrics_address = replica.metrics_address(),
                                  .outstanding_batches = replica.outstanding_batches()});
    }
  }
  if (local.has_value()) {
    for (const ProcessSnapshot& process : local->processes) {
      AddLocal(process, pss, report.processes);
    }
  }
  return report;
}

std::string FormatStatus(const StatusReport& report) {
  std::string text = absl::StrCat("cluster at ", report.address, ": ",
                                  report.ready                ? "ready"
                                  : report.router.has_value() ? "not ready"
                                                              : "the router does not answer");
  if (report.router.has_value()) {
    absl::StrAppend(&text, ", version ", report.router->version(), ", space ",
                    OrDash(report.router->space_id()), ", up ",
                    absl::FormatDuration(absl::Seconds(report.router->uptime().seconds())),
                    "\nadmitted ", report.router->admitted_items(), " of ",
                    report.router->max_admitted_items(), " items");
    absl::StrAppendFormat(&text, ", %.1f of %.0f MiB\n",
                          static_cast<double>(report.router->admitted_bytes()) / (1 << 20),
                          static_cast<double>(report.router->max_admitted_bytes()) / (1 << 20));
  } else {
    text += '\n';
  }
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "SERVICE", "STATE", "DEVICE", "PID", "PSS MiB", "RESTARTS", "METRICS", "ADDRESS"}};
  double total = 0;
  for (const ProcessStatus& process : report.processes) {
    total += process.pss_mib.value_or(0);
    rows.push_back({process.name, process.service, process.state, OrDash(process.device),
                    process.pid.value_or(0) == 0 ? "-" : absl::StrCat(*process.pid),
                    process.pss_mib.has_value() ? absl::StrFormat("%.0f", *process.pss_mib) : "-",
                    OrDash(process.restarts), OrDash(process.metrics_address), process.address});
  }
  absl::StrAppend(&text, "\n", FormatTable(rows));
  for (const ProcessStatus& process : report.processes) {
    if (!process.detail.empty()) {
      absl::StrAppend(&text, process.name, ": ", process.detail, "\n");
    }
  }
  absl::StrAppendFormat(&text, "total PSS %.0f MiB\n", total);
  return text;
}

nlohmann::json StatusToJson(const StatusReport& report) {
  nlohmann::json json = {
      {"address", report.address}, {"ready", report.ready}, {"processes", nlohmann::json::array()}};
  double total = 0;
  for (const ProcessStatus& process : report.processes) {
    nlohmann::json entry = {{"name", process.name},
                            {"service", process.service},
                            {"address", process.address},
                            {"state", process.state},
                            {"detail", process.detail},
                            {"device", process.device},
                            {"metrics_address", process.metrics_address},
                            {"outstanding_batches", process.outstanding_batches},
                            {"pid", nullptr},
                            {"restarts", nullptr},
                            {"pss_mib", nullptr}};
    if (process.pid.value_or(0) != 0) {
      entry["pid"] = *process.pid;
    }
    if (process.restarts.has_value()) {
      entry["restarts"] = *process.restarts;
    }
    if (process.pss_mib.has_value()) {
      entry["pss_mib"] = *process.pss_mib;
      total += *process.pss_mib;
    }
    json["processes"].push_back(std::move(entry));
  }
  json["total_pss_mib"] = total;
  if (report.router.has_value()) {
    json["version"] = report.router->version();
    json["space_id"] = report.router->space_id();
    json["uptime_s"] = report.router->uptime().seconds();
    json["admitted_items"] = report.router->admitted_items();
    json["max_admitted_items"] = report.router->max_admitted_items();
    json["admitted_bytes"] = report.router->admitted_bytes();
    json["max_admitted_bytes"] = report.router->max_admitted_bytes();
  }
  return json;
}

}  // namespace terminus::tools::cli
