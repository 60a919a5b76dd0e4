#include "tools/cli/cluster_plan.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "models/catalog/catalog.h"
#include "tools/cli/listen_address.h"
#include "tools/cli/model_facts.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxReplicas = 64;

// A service that is started here, and its places in the config.
struct Service {
  const char* name;
  std::vector<std::string> config::RouterConfig::*replicas;
  int* (*threads)(config::ClusterConfig& config);
};

const Service kServices[] = {
    {"text", &config::RouterConfig::text_replicas,
     [](config::ClusterConfig& config) { return &config.text.threads; }},
    {"vision", &config::RouterConfig::vision_replicas,
     [](config::ClusterConfig& config) { return &config.vision.threads; }},
    {"video", &config::RouterConfig::video_replicas,
     [](config::ClusterConfig& config) { return &config.video.threads; }},
    {"decoder", &config::RouterConfig::decoder_replicas,
     [](config::ClusterConfig& config) { return &config.decoder.threads; }},
};

std::string ServiceNames() {
  return absl::StrJoin(kServices, ", ",
                       [](std::string* out, const Service& service) { out->append(service.name); });
}

// Whether a bundle's manifest has the section; what else is in it is for the services to judge.
bool HasSection(const fs::path& manifest, const std::string& section) {
  try {
    return YAML::LoadFile(manifest.string())[section].IsDefined();
  } catch (const YAML::Exception&) {
    return false;
  }
}

// The services that a model's folder has work for.
absl::StatusOr<std::set<std::string>> ServicesOfModel(const fs::path& folder) {
  const std::string path = (folder / "config.json").string();
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, 1 << 20));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  }
  const auto family = models::catalog::FindFamily(json, fs::exists(folder / "modules.json"));
  if (!family.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", family.status().message(), "\n",
                                                   models::catalog::WhatCanBeServed()));
  }
  const std::vector<std::string> services = ServicesOf(**family);
  return std::set<std::string>(services.begin(), services.end());
}

// Makes config.bundle the folder to serve. One with a bundle.yaml has a model for every service;
// for one of a single model only its services are run.
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
  TERMINUS_ASSIGN_OR_RETURN(const std::set<std::string> services, ServicesOfModel(folder));
  for (const Service& other : kServices) {
    if (services.count(other.name) > 0) {
      continue;
    }
    const auto wanted = options.replicas.find(other.name);
    if (wanted != options.replicas.end() && wanted->second > 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--replicas: ", folder.string(), " holds a model for ", absl::StrJoin(services, ", "),
          "; ", other.name, " replicas need a --bundle"));
    }
    replicas[other.name] = 0;
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
    const auto known = [&parts](const Service& service) { return parts[0] == service.name; };
    if (std::none_of(std::begin(kServices), std::end(kServices), known)) {
      return absl::InvalidArgumentError(absl::StrCat("--replicas: unknown service '", parts[0],
                                                     "', expected one of ", ServiceNames()));
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
  std::map<std::string, int> replicas;
  for (const Service& service : kServices) {
    replicas[service.name] = 1;
  }
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

  bool any = false;
  for (const Service& service : kServices) {
    std::vector<std::string>& addresses = config.router.*service.replicas;
    any = any || !addresses.empty() || replicas[service.name] > 0;
    if (!addresses.empty()) {
      continue;
    }
    const int count = replicas[service.name];
    for (int i = 0; i < count; ++i) {
      const std::string name = absl::StrCat(service.name, "-", i);
      TERMINUS_ASSIGN_OR_RETURN(ProcessSpec spec, MakeSpec(options, folder, service.name, name));
      TERMINUS_ASSIGN_OR_RETURN(spec.address, folder.SocketAddress(name));
      spec.arguments.insert(spec.arguments.end(), {"--listen", spec.address});
      addresses.push_back(spec.address);
      plan.processes.push_back(std::move(spec));
    }
    // Replicas of one service work at the same time; the services mostly take turns.
    int& threads = *service.threads(config);
    if (threads == 0 && count > 0) {
      threads = std::max(1, options.cores / count);
    }
  }
  if (!any) {
    return absl::InvalidArgumentError("--replicas: all are 0, at least one service must run");
  }
  return plan;
}

}  // namespace terminus::tools::cli
