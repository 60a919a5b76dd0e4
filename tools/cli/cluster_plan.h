#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/cluster_config.h"
#include "tools/cli/process_host.h"
#include "tools/cli/state_folder.h"

namespace terminus::tools::cli {

struct PlanOptions {
  // Folder of the services' executables.
  std::string binaries;
  // YAML of the user's own config; empty for defaults.
  std::string config_yaml;
  // "key=value" on top of it.
  std::vector<std::string> overrides;
  // Folder with bundle.yaml, or of a single model. Empty: the config's, or else the default bundle.
  std::string bundle;
  // Folder of a single model to serve instead; empty: none.
  std::string model;
  // Where clients reach the router. Empty: as the config says.
  std::string listen;
  // Replicas by service, such as {"text", 2}. Services left out have one where the folder has work
  // for them, else none.
  std::map<std::string, int> replicas;
  // CPU cores that the threads of a service's replicas are divided over.
  int cores = 1;
};

// What `terminus up` is about to run.
struct ClusterPlan {
  // Written to StateFolder::ConfigPath, read by every process.
  config::ClusterConfig config;
  // The router first; see Supervisor.
  std::vector<ProcessSpec> processes;
  // Where clients reach the router.
  std::string address;
};

// Parses "text=2,vision=1". INVALID_ARGUMENT names what is wrong.
absl::StatusOr<std::map<std::string, int>> ParseReplicas(const std::string& text);

// Says what to run. A service for which the config lists replicas of its own is not started, as it
// runs elsewhere. Reads the model's and the bundle's folder, changes nothing.
absl::StatusOr<ClusterPlan> PlanCluster(const PlanOptions& options, const StateFolder& folder);

}  // namespace terminus::tools::cli
