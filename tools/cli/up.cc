#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tools/cli/cluster_plan.h"
#include "tools/cli/cluster_run.h"
#include "tools/cli/command.h"
#include "tools/cli/detach.h"
#include "tools/cli/state_folder.h"

namespace terminus::tools::cli {
namespace {

struct UpOptions {
  std::string replicas;
  std::string model;
  std::string bundle;
  std::string config;
  std::vector<std::string> overrides;
  std::string listen;
  double ready_timeout_s = 120;
  bool detach = false;
};

absl::StatusOr<PlanOptions> MakePlanOptions(const UpOptions& up) {
  std::error_code error;
  PlanOptions plan{
      .binaries = std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string(),
      .overrides = up.overrides,
      .bundle = up.bundle,
      .model = up.model,
      .listen = up.listen,
      .cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))};
  absl::StatusOr<std::map<std::string, int>> replicas = ParseReplicas(up.replicas);
  if (!replicas.ok()) {
    return UsageError(std::string(replicas.status().message()));
  }
  plan.replicas = *std::move(replicas);
  if (!up.config.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(plan.config_yaml, base::ReadFile(up.config, 1 << 20));
  }
  return plan;
}

// A first command that the cluster answers.
std::string FirstCommand(const config::RouterConfig& router) {
  if (!router.text_replicas.empty()) return "embed \"a photo of a cat\"";
  if (!router.vision_replicas.empty()) return "embed --file cat.jpg";
  if (!router.video_replicas.empty()) return "embed --file clip.mp4";
  return "generate \"Once upon a time\"";
}

absl::Status ReportReady(const Globals& globals, const ClusterPlan& plan, absl::Duration took) {
  if (globals.json) {
    PrintJson({{"address", plan.address},
               {"ready_s", absl::ToDoubleSeconds(took)},
               {"state", globals.state}});
    return absl::OkStatus();
  }
  std::printf("ready after %.1f s at %s\n", absl::ToDoubleSeconds(took), plan.address.c_str());
  const bool is_default = plan.address == kDefaultAddress;
  std::printf("try: terminus %s%s%s\n", FirstCommand(plan.config.router).c_str(),
              is_default ? "" : " --address ", is_default ? "" : plan.address.c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status RunUp(const Globals& globals, const UpOptions& up) {
  TERMINUS_ASSIGN_OR_RETURN(const PlanOptions plan_options, MakePlanOptions(up));
  const StateFolder folder(globals.state);
  TERMINUS_RETURN_IF_ERROR(folder.Create());
  TERMINUS_ASSIGN_OR_RETURN(const StateLock lock, StateLock::Take(folder));
  TERMINUS_RETURN_IF_ERROR(lock.WritePid());
  TERMINUS_ASSIGN_OR_RETURN(const ClusterPlan plan, PlanCluster(plan_options, folder));
  TERMINUS_RETURN_IF_ERROR(base::WriteFileAtomic(folder.ConfigPath(), config::ToYaml(plan.config)));

  std::unique_ptr<Detached> detached;
  if (up.detach) {
    TERMINUS_ASSIGN_OR_RETURN(Detached fork, Detached::Fork());
    if (fork.is_parent()) {
      return fork.WaitForChild();
    }
    TERMINUS_RETURN_IF_ERROR(lock.WritePid());
    detached = std::make_unique<Detached>(std::move(fork));
  }
  RunOptions run;
  run.ready_timeout = absl::Seconds(up.ready_timeout_s);
  run.lifecycle.stop_patience =
      std::max({plan.config.router.drain_timeout, plan.config.text.drain_timeout,
                plan.config.vision.drain_timeout, plan.config.video.drain_timeout,
                plan.config.decoder.drain_timeout}) +
      absl::Seconds(2);
  // With --json, stdout is for the one line that says it is ready.
  std::FILE* const out = globals.json ? stderr : stdout;
  run.print = [out](const std::string& line) {
    std::fprintf(out, "%s\n", line.c_str());
    std::fflush(out);
  };
  run.on_ready = [&](absl::Duration took) {
    TERMINUS_RETURN_IF_ERROR(ReportReady(globals, plan, took));
    return detached == nullptr ? absl::OkStatus() : detached->Ready(folder.LogPath("up"));
  };
  return RunCluster(plan, folder, run);
}

}  // namespace

void AddUpCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* up =
      app.add_subcommand("up", "Start a cluster on this machine and keep it running until Ctrl-C");
  auto options = std::make_shared<UpOptions>();
  up->add_option(
      "--replicas", options->replicas,
      "Replicas, such as text=2,vision=1 (default: one of each service that the folder has "
      "work for)");
  up->add_option("--bundle", options->bundle, "Folder with a bundle.yaml (default: setup's)");
  up->add_option("--model", options->model, "Folder of one model to serve instead of a bundle")
      ->excludes("--bundle");
  up->add_option("--config", options->config, "YAML config file; see docs/configuration.md");
  up->add_option("--set", options->overrides, "KEY=VALUE on top of the config; repeatable")
      ->allow_extra_args(false);
  up->add_option("--listen", options->listen,
                 absl::StrCat("Where clients connect (default: ", kDefaultAddress, ")"));
  up->add_option("--ready-timeout", options->ready_timeout_s,
                 "Seconds until the cluster must be ready")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  up->add_flag("--detach", options->detach, "Return once it is ready; stop it with terminus down");
  up->callback([&globals, &command, options] {
    command = [&globals, options] { return RunUp(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
