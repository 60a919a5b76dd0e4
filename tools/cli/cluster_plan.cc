#include "tools/cli/cluster_plan.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tools/cli/listen_address.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxReplicas = 64;
const char* const kEncoders[] = {"text", "vision", "video"};

// An encoder's part of the config.
struct ServiceConfig {
  std::vector<std::string>& replicas;
  config::EncoderConfig& encoder;
};

ServiceConfig ConfigOf(const std::string& service, config::ClusterConfig& config) {
  if (service == "text") return {config.router.text_replicas, config.text};
  if (service == "vision") return {config.router.vision_replicas, config.vision};
  return {config.router.video_replicas, config.video};
}

// Whether a bundle's manifest has the section; what else is in it is for the services to judge.
bool HasSection(const fs::path& manifest, const std::string& section) {
  try {
    return YAML::LoadFile(manifest.string())[section].IsDefined();
  } catch (const YAML::Exception&) {
    return false;
  }
}

// Which service a model's folder is for: timm's config.json names an "architecture", that of
// transformers a "model_type". The service itself decides whether it supports the model.
absl::StatusOr<std::string> ServiceOfModel(const fs::path& folder) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile((folder / "config.json").string(), 1 << 20));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder.string(), "/config.json is not a JSON object"));
  }
  return json.contains("architecture") ? "vision" : "text";
}

// Makes config.bundle the folder to serve. One with a bundle.yaml has a model for every service;
// for one of a single model only its service is run.
absl::Status ChooseModels(const PlanOptions& options, config::ClusterConfig& config,
                          std::map<std::string, int>& replicas) {
  std::string hint = "expected a folder with a bundle.yaml, or one of a single model";
  if (!options.model.empty()) {
    config.bundle = options.model;
  } else if (!options.bundle.empty()) {
    config.bundle = options.bundle;
  } else if (config.bundle.empty()) {
    config.bundle = TerminusHome() + "/bundles/default";
    hint = "run scripts/setup, which makes the default bundle, or name yours with --bundle FOLDER";
  }
  const fs::path folder = fs::absolute(config.bundle).lexically_normal();
  const bool is_bundle = options.model.empty() && fs::exists(folder / "bundle.yaml");
  if (!is_bundle && !fs::exists(folder / "config.json")) {
    return absl::NotFoundError(absl::StrCat("no ",
                                            options.model.empty() ? "bundle.yaml" : "config.json",
                                            " in ", folder.string(), ": ", hint));
  }
  config.bundle = folder.string();
  if (is_bundle) {
    // Not every bundle has one, and a service without a model would keep the cluster from starting.
    if (options.replicas.count("video") == 0 && !HasSection(folder / "bundle.yaml", "video")) {
      replicas["video"] = 0;
    }
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string service, ServiceOfModel(folder));
  for (const char* other : kEncoders) {
    if (service == other) {
      continue;
    }
    const auto wanted = options.replicas.find(other);
    if (wanted != options.replicas.end() && wanted->second > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--replicas: ", folder.string(), " holds a model for the ", service,
                       " service, ", other, " replicas need a --bundle"));
    }
    replicas[other] = 0;
  }
  return absl::OkStatus();
}

absl::StatusOr<ProcessSpec> MakeSpec(const PlanOptions& options, const StateFolder& folder,
                                     const std::string& service, const std::string& name) {
  const std::string binary = absl::StrCat(options.binaries, "/terminus-", service);
  if (!fs::exists(binary)) {
    return absl::NotFoundError(
        absl::StrCat("no executable ", binary, ": build it with scripts/build terminus-", service));
  }
  return ProcessSpec{.name = name,
                     .service = service,
                     .address = "",
                     .arguments = {binary, "--config", folder.ConfigPath()},
                     // Idle OpenMP threads that spin would starve the other processes.
                     .environment = {"OMP_WAIT_POLICY=passive"},
                     .log_path = folder.LogPath(name)};
}

}  // namespace

absl::StatusOr<std::map<std::string, int>> ParseReplicas(const std::string& text) {
  std::map<std::string, int> replicas;
  const std::vector<std::string> entries = absl::StrSplit(text, ',', absl::SkipEmpty());
  for (const std::string& entry : entries) {
    const std::vector<std::string> parts = absl::StrSplit(entry, '=');
    int count = 0;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &count) || count < 0 ||
        count > kMaxReplicas) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--replicas: '", entry, "', expected SERVICE=COUNT with a count of 0 to ", kMaxReplicas));
    }
    if (std::find(std::begin(kEncoders), std::end(kEncoders), parts[0]) == std::end(kEncoders)) {
      return absl::InvalidArgumentError(absl::StrCat("--replicas: unknown service '", parts[0],
                                                     "', expected ",
                                                     absl::StrJoin(kEncoders, ", ")));
    }
    replicas[parts[0]] = count;
  }
  return replicas;
}

absl::StatusOr<ClusterPlan> PlanCluster(const PlanOptions& options, const StateFolder& folder) {
  ClusterPlan plan;
  TERMINUS_ASSIGN_OR_RETURN(plan.config,
                            config::ParseClusterConfig(options.config_yaml, options.overrides));
  config::ClusterConfig& config = plan.config;
  std::map<std::string, int> replicas = {{"text", 1}, {"vision", 1}, {"video", 1}};
  for (const auto& [service, count] : options.replicas) {
    replicas[service] = count;
  }
  TERMINUS_RETURN_IF_ERROR(ChooseModels(options, config, replicas));

  if (!options.listen.empty()) {
    config.router.listen = {options.listen};
  }
  for (std::string& address : config.router.listen) {
    TERMINUS_ASSIGN_OR_RETURN(address, ResolveListenAddress(address));
  }
  if (config.router.listen.empty()) {
    return absl::InvalidArgumentError("router.listen: empty, expected at least one address");
  }
  plan.address = config.router.listen.front();
  TERMINUS_ASSIGN_OR_RETURN(const std::string router_socket, folder.SocketAddress("router"));
  if (plan.address != router_socket) {
    config.router.listen.push_back(router_socket);
  }
  TERMINUS_ASSIGN_OR_RETURN(ProcessSpec router, MakeSpec(options, folder, "router", "router"));
  router.address = plan.address;
  plan.processes.push_back(std::move(router));

  for (const std::string service : kEncoders) {
    const ServiceConfig part = ConfigOf(service, config);
    std::vector<std::string>& addresses = part.replicas;
    if (!addresses.empty()) {
      continue;
    }
    const int count = replicas[service];
    for (int i = 0; i < count; ++i) {
      const std::string name = absl::StrCat(service, "-", i);
      TERMINUS_ASSIGN_OR_RETURN(ProcessSpec spec, MakeSpec(options, folder, service, name));
      TERMINUS_ASSIGN_OR_RETURN(spec.address, folder.SocketAddress(name));
      spec.arguments.insert(spec.arguments.end(), {"--listen", spec.address});
      addresses.push_back(spec.address);
      plan.processes.push_back(std::move(spec));
    }
    // Replicas of one service work at the same time; the services mostly take turns.
    if (part.encoder.threads == 0 && count > 0) {
      part.encoder.threads = std::max(1, options.cores / count);
    }
  }
  if (config.router.text_replicas.empty() && config.router.vision_replicas.empty() &&
      config.router.video_replicas.empty()) {
    return absl::InvalidArgumentError("--replicas: all are 0, at least one service must run");
  }
  return plan;
}

}  // namespace terminus::tools::cli
