#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/config/process_flags.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "common/serving/model_host.h"
#include "common/serving/passive_wait.h"
#include "common/serving/serve.h"
#include "services/decoder/edge/decoder_service.h"
#include "services/decoder/load/grid_model.h"
#include "services/decoder/load/load_model.h"

namespace terminus::services::decoder {
namespace {

// Text of a few dozen tokens a second needs no more.
constexpr int kTextThreads = 2;

std::string Describe(const edge::ServedBundle& bundle) {
  if (bundle.model == nullptr) {
    return "no language model: scores and recognizes only";
  }
  return absl::StrCat("language model on ", bundle.device, ", context ",
                      bundle.model->engine->max_context(), ", ",
                      bundle.model->engine->max_sequences(), " sequences together");
}

int RunRank(const config::ClusterConfig& config) {
  const absl::Status status = load::RunRank(config.bundle, config.decoder);
  if (!status.ok()) {
    base::LogError(status.message());
    return base::kExitFailed;
  }
  return base::kExitOk;
}

int Main(int argc, char** argv) {
  serving::RestartWithPassiveWait(argv);
  const config::ClusterConfig config =
      config::ParseProcessFlags(argc, argv, "decoder", "Terminus: the decoder service");
  const config::DecoderConfig& options = config.decoder;
  if (options.grid.rank >= 0) {
    base::InitLog(absl::StrCat("terminus-decoder rank ", options.grid.rank), config.log_level);
    return RunRank(config);
  }
  // A rank ends by a signal like any process: its front notices at once.
  rpc::BlockShutdownSignals();
  base::InitLog("terminus-decoder", config.log_level);
  metrics::Registry registry("terminus-decoder");
  edge::EdgeMetrics edge_metrics(registry);
  load::ModelMetrics model_metrics(registry);
  auto exposer = metrics::Exposer::Start(options.metrics, registry);
  if (!exposer.ok()) {
    base::LogError(exposer.status().message());
    return base::kExitFailed;
  }
  edge::DecoderService service({.max_requests = options.max_requests,
                                .max_text_bytes = options.max_text_bytes,
                                .default_deadline = options.default_deadline,
                                .threads = kTextThreads,
                                .metrics_address = (*exposer)->address()},
                               edge_metrics);
  // A grid that has lost a rank answers nothing more: whoever runs this process starts another one.
  std::atomic<bool> grid_failed = false;
  const auto end_process = [&grid_failed](const absl::Status& /*why*/) {
    grid_failed = true;
    kill(getpid(), SIGTERM);
  };
  const auto load = [&]() -> absl::Status {
    const absl::Time start = absl::Now();
    TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<edge::ServedBundle> bundle,
                              load::LoadBundle(config.bundle, options, model_metrics, end_process));
    base::LogInfo(absl::StrCat(
        "ready: model ", bundle->name, ", space ", bundle->space_id, ", ", Describe(*bundle),
        options.grid.world() > 1 ? ", loaded by its ranks in " : ", loaded and verified in ",
        absl::FormatDuration(absl::Now() - start)));
    service.Serve(std::move(bundle));
    return absl::OkStatus();
  };
  const auto stage = [&](const v1::StageModelRequest& request,
                         v1::StageModelResponse* response) -> absl::StatusOr<serving::HostedModel> {
    TERMINUS_ASSIGN_OR_RETURN(
        std::shared_ptr<edge::ServedBundle> bundle,
        load::LoadBundle(request.path(), options, model_metrics, end_process));
    if (!request.name().empty()) {
      bundle->name = request.name();
    }
    service.Describe(*bundle, response->mutable_decoder());
    return service.Host(std::move(bundle));
  };
  serving::ModelHost host(
      service.slots(),
      {.enabled = rpc::TakesChanges(options.model_loading, options.listen), .load = stage});
  const int code =
      serving::ServeUntilSignal({.server = {.listen = options.listen,
                                            .max_message_bytes = options.max_message_bytes,
                                            .drain_timeout = options.drain_timeout},
                                 .metrics_address = (*exposer)->address(),
                                 .bundle = config.bundle},
                                {&service, &host}, load);
  return grid_failed ? base::kExitFailed : code;
}

}  // namespace
}  // namespace terminus::services::decoder

int main(int argc, char** argv) { return terminus::services::decoder::Main(argc, argv); }
