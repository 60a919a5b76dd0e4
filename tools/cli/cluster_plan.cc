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

// The services that a bundle has work for; what else its manifest says is for them to judge.
absl::StatusOr<std::set<std::string>> ServicesOfBundle(const fs::path& manifest) {
  std::set<std::string> services;
  try {
    const YAML::Node root = YAML::LoadFile(manifest.string());
    for (const Service& service : kServices) {
      if (root.IsMap() && root[service.name].IsDefined()) {
        services.insert(service.name);
      }
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(manifest.string(), ": ", error.what()));
  }
  if (services.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(manifest.string(), ": it has none of ",
                                                   ServiceNames(), ": a bundle has at least one"));
  }
  // It also scores what the encoders encode.
  services.insert("decoder");
  return services;
}

// Where a plain folder has its config.json: of one of sentence-transformers the folder of its first
// module, else the folder itself.
std::string EncoderFolder(const fs::path& folder) {
  const absl::StatusOr<std::string> text =
      base::ReadFile((folder / "modules.json").string(), 1 << 20);
  const nlohmann::json modules =
      text.ok() ? nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false)
                : nlohmann::json();
  if (!modules.is_array() || modules.empty() || !modules[0].is_object()) {
    return folder.string();
  }
  const nlohmann::json path = modules[0].value("path", nlohmann::json());
  return path.is_string() ? (folder / path.get<std::string>()).string() : folder.string();
}

// The services that a model's folder has work for.
absl::StatusOr<std::set<std::string>> ServicesOfModel(const fs::path& folder) {
  const std::string path = EncoderFolder(folder) + "/config.json";
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
  const std::vector<std::string> services = models::catalog::ServicesOf(**family);
  return std::set<std::string>(services.begin(), services.end());
}

// Makes config.bundle the folder to serve. Services that it has nothing for are not run, unless
// they are asked for by name: they are idle then, until another model is loaded.
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
  // As the services tell them apart, by whichever option the folder came.
  const bool is_bundle = fs::exists(folder / "bundle.yaml");
  if (!is_bundle && !fs::exists(EncoderFolder(folder) + "/config.json")) {
    return absl::NotFoundError(
        absl::StrCat("no bundle.yaml and no config.json in ", folder.string(), ": ", hint));
  }
  config.bundle = folder.string();
  TERMINUS_ASSIGN_OR_RETURN(
      const std::set<std::string> services,
      is_bundle ? ServicesOfBundle(folder / "bundle.yaml") : ServicesOfModel(folder));
  for (const Service& service : kServices) {
    if (services.count(service.name) == 0 && options.replicas.count(service.name) == 0) {
      replicas[service.name] = 0;
    }
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
