#pragma once

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/config/process_flags.h"
#include "common/executor/guard.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "common/serving/encoder_service.h"
#include "common/serving/passive_wait.h"

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
  // Loads the model and checks its golden vectors. Runs on a thread of its own, after the server
  // listens, so that whoever waits for the process can see that it lives.
  std::function<absl::StatusOr<LoadedModel<Batch>>(const config::ClusterConfig& config,
                                                   const config::EncoderConfig& encoder)>
      load;
};

// Whether what kept the model from being loaded may pass: memory or a device that another process
// holds. A model that is missing, broken or not supported stays so.
inline bool CanLoadLater(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kPermissionDenied:
      return false;
    default:
      return true;
  }
}

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
  auto server = rpc::Server::Start({.listen = options.listen,
                                    .max_message_bytes = options.limits.max_message_bytes,
                                    .drain_timeout = options.drain_timeout},
                                   {&service});
  if (!server.ok()) {
    base::LogError(server.status().message());
    return base::kExitFailed;
  }
  base::LogInfo(absl::StrCat("listening on ", absl::StrJoin((*server)->addresses(), ", "),
                             ", metrics on ", (*exposer)->address(), ", loading ", config.bundle));

  int exit_code = base::kExitOk;
  std::thread loader([&] {
    const absl::Time start = absl::Now();
    absl::StatusOr<LoadedModel<Batch>> loaded = absl::UnknownError("not loaded");
    const absl::Status status = executor::RunGuarded([&] {
      executor::SetComputeThreads(threads);
      loaded = program.load(config, options);
      return loaded.status();
    });
    if (!status.ok()) {
      base::LogError(absl::StrCat("cannot serve ", config.bundle, ": ", status.message()));
      exit_code = CanLoadLater(status) ? base::kExitFailed : base::kExitRefused;
      kill(getpid(), SIGTERM);  // To the process: the main thread is the one that waits for it.
      return;
    }
    auto model = std::make_shared<ServedModel<Batch>>();
    model->info = std::move(loaded->info);
    model->frontend = std::move(loaded->frontend);
    // On a GPU the next batch is decoded and copied while this one computes; on a CPU both would
    // want the same cores.
    const int default_in_flight = model->info.device == "cpu" ? 1 : 2;
    const int max_in_flight = options.max_in_flight > 0 ? options.max_in_flight : default_in_flight;
    model->executor = std::make_unique<executor::Executor<Batch>>(
        "device", std::move(loaded->encoder), max_in_flight);
    base::LogInfo(absl::StrCat("ready: model ", model->info.name, " on ", model->info.device,
                               ", space ", model->info.space_id, ", loaded and verified in ",
                               absl::FormatDuration(absl::Now() - start)));
    service.Serve(std::move(model));
    (*server)->SetServing(true);
  });
  const int signal = rpc::WaitForShutdownSignal();
  loader.join();
  if (exit_code == base::kExitOk) {
    base::LogInfo(absl::StrCat("signal ", signal, ": finishing what is in flight"));
  }
  (*server)->Shutdown();
  return exit_code;
}

}  // namespace terminus::serving
