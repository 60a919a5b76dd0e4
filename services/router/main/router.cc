#include "services/router/main/router.h"

#include "common/base/status_macros.h"

namespace terminus::services::router {
namespace {

metrics::Gauge* IdleReplicas(metrics::Registry& registry, const std::string& service) {
  return &registry.AddGauge(
      "terminus_router_replicas_idle",
      "Ready replicas that serve nothing: the bundle has no part for them, or "
      "the model was unloaded",
      {{"service", service}});
}

// What an EncodeBatch message holds beside its items: the model's name and their tags.
constexpr int64_t kMessageOverhead = 4096;

dispatch::PoolOptions PoolOptionsOf(const config::RouterConfig& config, const std::string& service,
                                    const config::BatchingOptions& batching) {
  return {.service = service,
          .queue = {.limits = {.max_items = batching.max_batch_items,
                               .max_cost = batching.max_batch_cost,
                               .max_bytes = config.limits.max_message_bytes - kMessageOverhead},
                    .min_time_left = batching.min_time_left},
          .max_in_flight = batching.max_in_flight};
}

}  // namespace

Router::Router(const config::RouterConfig& config, metrics::Registry& registry)
    : config_(config),
      edge_metrics_(registry),
      admission_(
          {.max_items = config.admission.max_items,
           .max_bytes = config.admission.max_bytes,
           .retry_delay = config.admission.retry_delay},
          {.items = &registry.AddGauge("terminus_router_admitted_items", "Items inside the router"),
           .bytes = &registry.AddGauge("terminus_router_admitted_bytes",
                                       "Bytes of the items inside the router")}),
      cache_(config.cache_max_bytes, registry) {
  if (!config_.text_replicas.empty()) {
    text_.emplace(PoolOptionsOf(config_, "text", config_.text_batching),
                  dispatch::PoolMetrics(registry, "text"));
    services_.push_back({.name = "text",
                         .modality = v1::MODALITY_TEXT,
                         .targets = config_.text_replicas,
                         .pool = &*text_,
                         .idle = IdleReplicas(registry, "text")});
  }
  if (!config_.vision_replicas.empty()) {
    vision_.emplace(PoolOptionsOf(config_, "vision", config_.vision_batching),
                    dispatch::PoolMetrics(registry, "vision"));
    services_.push_back({.name = "vision",
                         .modality = v1::MODALITY_IMAGE,
                         .targets = config_.vision_replicas,
                         .pool = &*vision_,
                         .idle = IdleReplicas(registry, "vision")});
  }
  if (!config_.video_replicas.empty()) {
    video_.emplace(PoolOptionsOf(config_, "video", config_.video_batching),
                   dispatch::PoolMetrics(registry, "video"));
    services_.push_back({.name = "video",
                         .modality = v1::MODALITY_VIDEO,
                         .targets = config_.video_replicas,
                         .pool = &*video_,
                         .idle = IdleReplicas(registry, "video")});
  }
  if (!config_.decoder_replicas.empty()) {
    decoders_.emplace(dispatch::DecoderPoolOptions{}, registry);
    services_.push_back({.name = "decoder",
                         .targets = config_.decoder_replicas,
                         .decoders = &*decoders_,
                         .idle = IdleReplicas(registry, "decoder")});
  }
}

absl::StatusOr<std::unique_ptr<Router>> Router::Start(const config::RouterConfig& config,
                                                      metrics::Registry& registry,
                                                      const std::string& metrics_address) {
  auto router = std::unique_ptr<Router>(new Router(config, registry));
  TERMINUS_RETURN_IF_ERROR(router->Listen(metrics_address));
  return router;
}

absl::Status Router::Listen(const std::string& metrics_address) {
  discovery_.emplace(
      discovery::DiscoveryOptions{.services = services_,
                                  .interval = config_.health.interval,
                                  .timeout = config_.health.timeout,
                                  .max_message_bytes = config_.limits.max_message_bytes,
                                  .on_ready_change = [this](bool ready) { OnReadyChange(ready); }},
      &catalog_);
  if (rpc::TakesChanges(config_.model_loading, config_.listen)) {
    loader_.emplace(loading::LoaderOptions{.timeout = config_.load_timeout,
                                           .drain = config_.default_deadline,
                                           .repair_interval = config_.health.interval},
                    &*discovery_, &catalog_);
  }
  const edge::EdgeParts parts{.limits = config_.limits,
                              .default_deadline = config_.default_deadline,
                              .catalog = &catalog_,
                              .admission = &admission_,
                              .text = text_ ? &*text_ : nullptr,
                              .vision = vision_ ? &*vision_ : nullptr,
                              .video = video_ ? &*video_ : nullptr,
                              .metrics = &edge_metrics_};
  embedding_.emplace(parts);
  const edge::DecoderParts decoder_parts{
      .edge = parts, .decoders = decoders_ ? &*decoders_ : nullptr, .cache = &cache_};
  generation_.emplace(decoder_parts);
  retrieval_.emplace(decoder_parts);
  action_.emplace(decoder_parts);
  cluster_.emplace(edge::ClusterParts{.loader = loader_ ? &*loader_ : nullptr,
                                      .load_timeout = config_.load_timeout,
                                      .discovery = &*discovery_,
                                      .catalog = &catalog_,
                                      .admission = &admission_,
                                      .services = services_,
                                      .metrics_address = metrics_address});
  TERMINUS_ASSIGN_OR_RETURN(
      server_,
      rpc::Server::Start({.listen = config_.listen,
                          .max_message_bytes = config_.limits.max_message_bytes,
                          .drain_timeout = config_.drain_timeout},
                         {&*embedding_, &*cluster_, &*generation_, &*retrieval_, &*action_}));
  base::MutexLock lock(mutex_);
  serving_ = server_.get();
  serving_->SetServing(ready_);
  return absl::OkStatus();
}

void Router::OnReadyChange(bool ready) {
  base::MutexLock lock(mutex_);
  ready_ = ready;
  if (serving_ != nullptr) {
    serving_->SetServing(ready);
  }
}

Router::~Router() { Shutdown(); }

void Router::Shutdown() {
  {
    base::MutexLock lock(mutex_);
    serving_ = nullptr;
  }
  if (loader_) {
    loader_->Stop();
  }
  if (server_ != nullptr) {
    server_->Shutdown();
  }
  for (const discovery::ServiceSpec& service : services_) {
    if (service.decoders != nullptr) {
      service.decoders->Close();
    } else {
      service.pool->Close();
    }
  }
}

}  // namespace terminus::services::router
