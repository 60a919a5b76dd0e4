#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/chat/chat_template.h"
#include "common/config/process_flags.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "common/serving/model_host.h"
#include "common/serving/passive_wait.h"
#include "common/serving/serve.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"
#include "services/decoder/edge/decoder_service.h"
#include "services/decoder/edge/model_codec.h"
#include "services/decoder/pipeline/lm_stage.h"

namespace terminus::services::decoder {
namespace {

// Text of a few dozen tokens a second needs no more.
constexpr int kTextThreads = 2;

sampling::Parameters DefaultsOf(const models::bundle::GenerationDefaults& generation) {
  if (!generation.sample) {
    return {.temperature = 0};
  }
  return {.temperature = static_cast<float>(generation.temperature),
          .top_k = static_cast<uint32_t>(std::max(0, generation.top_k)),
          .top_p = static_cast<float>(generation.top_p)};
}

absl::StatusOr<std::unique_ptr<edge::ServedModel>> LoadModel(
    const models::bundle::BundleManifest& manifest, const config::DecoderConfig& options,
    pipeline::EngineMetrics& metrics, std::string& device) {
  TERMINUS_ASSIGN_OR_RETURN(models::bundle::DecoderModel loaded,
                            models::bundle::LoadDecoder(manifest, {.device = options.device,
                                                                   .threads = options.threads,
                                                                   .kv_bytes = options.kv_bytes}));
  TERMINUS_RETURN_IF_ERROR(models::bundle::VerifyDecoder(manifest, loaded));
  auto model = std::make_unique<edge::ServedModel>();
  model->defaults = DefaultsOf(loaded.generation);
  const int default_budget = loaded.device == "cpu" ? 128 : 2048;
  const int budget = options.token_budget > 0 ? options.token_budget : default_budget;
  model->engine = std::make_unique<pipeline::Engine>(
      pipeline::Engine::Options{.limits = {.max_sequences = options.max_sequences,
                                           .token_budget = std::max(budget, options.max_sequences)},
                                .eos_token_ids = loaded.eos_token_ids},
      std::make_unique<pipeline::LmStage>(std::move(loaded.lm)), metrics);
  std::unique_ptr<const chat::ChatTemplate> chat_template;
  if (!loaded.chat_template.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(chat_template, chat::ChatTemplate::Parse(loaded.chat_template));
  }
  model->codec = edge::MakeCodec(std::move(loaded.tokenizer), std::move(chat_template),
                                 {.bos = loaded.bos_token, .eos = loaded.eos_token});
  device = loaded.device;
  return model;
}

absl::StatusOr<std::shared_ptr<edge::ServedBundle>> Load(const std::string& folder,
                                                         const config::DecoderConfig& options,
                                                         pipeline::EngineMetrics& metrics) {
  TERMINUS_ASSIGN_OR_RETURN(const models::bundle::BundleManifest manifest,
                            models::bundle::ReadManifest(folder));
  auto bundle = std::make_shared<edge::ServedBundle>();
  bundle->name = manifest.name;
  bundle->space_id = manifest.space.id;
  bundle->dimension = manifest.space.dimension;
  bundle->logit_scale = manifest.space.logit_scale;
  bundle->device = "cpu";
  if (manifest.decoder.has_value()) {
    TERMINUS_ASSIGN_OR_RETURN(bundle->model, LoadModel(manifest, options, metrics, bundle->device));
  }
  return bundle;
}

std::string Describe(const edge::ServedBundle& bundle) {
  if (bundle.model == nullptr) {
    return "no language model: scores and recognizes only";
  }
  return absl::StrCat("language model on ", bundle.device, ", context ",
                      bundle.model->engine->max_context(), ", ",
                      bundle.model->engine->max_sequences(), " sequences together");
}

int Main(int argc, char** argv) {
  serving::RestartWithPassiveWait(argv);
  rpc::BlockShutdownSignals();
  const config::ClusterConfig config =
      config::ParseProcessFlags(argc, argv, "decoder", "Terminus: the decoder service");
  const config::DecoderConfig& options = config.decoder;
  base::InitLog("terminus-decoder", config.log_level);
  metrics::Registry registry("terminus-decoder");
  edge::EdgeMetrics edge_metrics(registry);
  pipeline::EngineMetrics engine_metrics(registry);
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
  const auto load = [&]() -> absl::Status {
    const absl::Time start = absl::Now();
    TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<edge::ServedBundle> bundle,
                              Load(config.bundle, options, engine_metrics));
    base::LogInfo(absl::StrCat("ready: model ", bundle->name, ", space ", bundle->space_id, ", ",
                               Describe(*bundle), ", loaded and verified in ",
                               absl::FormatDuration(absl::Now() - start)));
    service.Serve(std::move(bundle));
    return absl::OkStatus();
  };
  const auto stage = [&](const v1::StageModelRequest& request,
                         v1::StageModelResponse* response) -> absl::StatusOr<serving::HostedModel> {
    TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<edge::ServedBundle> bundle,
                              Load(request.path(), options, engine_metrics));
    if (!request.name().empty()) {
      bundle->name = request.name();
    }
    service.Describe(*bundle, response->mutable_decoder());
    return service.Host(std::move(bundle));
  };
  serving::ModelHost host(
      service.slots(),
      {.enabled = rpc::TakesChanges(options.model_loading, options.listen), .load = stage});
  return serving::ServeUntilSignal({.server = {.listen = options.listen,
                                               .max_message_bytes = options.max_message_bytes,
                                               .drain_timeout = options.drain_timeout},
                                    .metrics_address = (*exposer)->address(),
                                    .bundle = config.bundle},
                                   {&service, &host}, load);
}

}  // namespace
}  // namespace terminus::services::decoder

int main(int argc, char** argv) { return terminus::services::decoder::Main(argc, argv); }
