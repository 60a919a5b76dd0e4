#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/config/process_flags.h"
#include "common/executor/guard.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "common/serving/encoder_service.h"
#include "common/serving/model_host.h"
#include "common/serving/passive_wait.h"
#include "common/serving/serve.h"

namespace terminus::serving {

// What a loader hands over: the model before it has a thread of its own.
template <class Batch>
struct LoadedModel {
  ModelInfo info;
  std::unique_ptr<Frontend<Batch>> frontend;
  std::unique_ptr<executor::Encoder<Batch>> encoder;
};

// What tells one encoder process from another.
template <class Batch>
struct EncoderProgram {
  // "text"; the binary is terminus-text and this its section of the config.
  std::string service;
  config::EncoderConfig config::ClusterConfig::*section;
  // Loads the model of a folder and checks its golden vectors. FAILED_PRECONDITION with the reason
  // NOT_IN_BUNDLE: the folder has no part for the service, which then serves nothing until the
  // model is changed. Runs on a thread of its own: the first time after the server listens, so that
  // whoever waits for the process can see that it lives, later beside the model that is served.
  std::function<absl::StatusOr<LoadedModel<Batch>>(const std::string& folder,
                                                   const config::EncoderConfig& encoder)>
      load;
};

// The main function of an encoder process; returns its exit code (common/base/exit_code.h).
template <class Batch>
int RunEncoderProcess(int argc, char** argv, const EncoderProgram<Batch>& program) {
  RestartWithPassiveWait(argv);
  rpc::BlockShutdownSignals();
  const std::string name = absl::StrCat("terminus-", program.service);
  const config::ClusterConfig config = config::ParseProcessFlags(
      argc, argv, program.service,
      absl::StrCat("Terminus: the ", program.service, " encoder service"));
  const config::EncoderConfig& options = config.*program.section;
  base::InitLog(name, config.log_level);

  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int threads = options.threads > 0 ? options.threads : cores;
  const int preprocess_threads =
      options.preprocess_threads > 0 ? options.preprocess_threads : threads;

  metrics::Registry registry(name);
  ServingMetrics serving_metrics(registry);
  auto exposer = metrics::Exposer::Start(options.metrics, registry);
  if (!exposer.ok()) {
    base::LogError(exposer.status().message());
    return base::kExitFailed;
  }
  EncoderService<Batch> service(preprocess_threads, (*exposer)->address(), serving_metrics);
  const auto load =
      [&](const std::string& folder) -> absl::StatusOr<std::shared_ptr<ServedModel<Batch>>> {
    executor::SetComputeThreads(threads);
    TERMINUS_ASSIGN_OR_RETURN(LoadedModel<Batch> loaded, program.load(folder, options));
    auto model = std::make_shared<ServedModel<Batch>>();
    model->info = std::move(loaded.info);
    model->frontend = std::move(loaded.frontend);
    // On a GPU the next batch is decoded and copied while this one computes; on a CPU both would
    // want the same cores.
    const int default_in_flight = model->info.device == "cpu" ? 1 : 2;
    const int max_in_flight = options.max_in_flight > 0 ? options.max_in_flight : default_in_flight;
    model->executor = std::make_unique<executor::Executor<Batch>>(
        "device", std::move(loaded.encoder), max_in_flight);
    return model;
  };
  const auto start = [&]() -> absl::Status {
    const absl::Time begin = absl::Now();
    absl::StatusOr<std::shared_ptr<ServedModel<Batch>>> loaded = load(config.bundle);
    if (base::Reason(loaded.status()) == base::kReasonNotInBundle) {
      base::LogInfo(absl::StrCat("ready, and serves nothing: ", loaded.status().message()));
      service.slots().Start(HostedModel());
      return absl::OkStatus();
    }
    TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<ServedModel<Batch>> model, std::move(loaded));
    base::LogInfo(absl::StrCat("ready: model ", model->info.name, " on ", model->info.device,
                               ", space ", model->info.space_id, ", loaded and verified in ",
                               absl::FormatDuration(absl::Now() - begin)));
    service.Serve(std::move(model));
    return absl::OkStatus();
  };
  const auto stage = [&](const v1::StageModelRequest& request,
                         v1::StageModelResponse* response) -> absl::StatusOr<HostedModel> {
    TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<ServedModel<Batch>> model, load(request.path()));
    if (!request.name().empty()) {
      model->info.name = request.name();
    }
    service.Describe(*model, response->mutable_encoder());
    return service.Host(std::move(model));
  };
  ModelHost host(
      service.slots(),
      {.enabled = rpc::TakesChanges(options.model_loading, options.listen), .load = stage});
  return ServeUntilSignal({.server = {.listen = options.listen,
                                      .max_message_bytes = options.limits.max_message_bytes,
                                      .drain_timeout = options.drain_timeout},
                           .metrics_address = (*exposer)->address(),
                           .bundle = config.bundle},
                          {&service, &host}, start);
}

}  // namespace terminus::serving
