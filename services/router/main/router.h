#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "common/config/cluster_config.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "services/router/admission/admission.h"
#include "services/router/cache/encoded_cache.h"
#include "services/router/discovery/catalog.h"
#include "services/router/discovery/discovery.h"
#include "services/router/dispatch/decoder_pool.h"
#include "services/router/dispatch/pool.h"
#include "services/router/edge/edge_metrics.h"
#include "services/router/edge/services.h"
#include "services/router/loading/model_loader.h"

namespace terminus::services::router {

// A whole router: the parts, wired and running. Its health says SERVING while every configured
// service has a ready replica; until then it listens and answers UNAVAILABLE.
class Router {
 public:
  // Fails when it cannot listen. A service with no replicas in the config does not exist for it.
  // The registry must outlive it; `metrics_address`, where it is served, is told to clients.
  static absl::StatusOr<std::unique_ptr<Router>> Start(const config::RouterConfig& config,
                                                       metrics::Registry& registry,
                                                       const std::string& metrics_address);
  // As Shutdown.
  ~Router();

  // Refuses new calls, lets those in flight end within the drain timeout, cancels what is left.
  void Shutdown();

  // As configured, with the ports that were taken.
  const std::vector<std::string>& addresses() const { return server_->addresses(); }

 private:
  Router(const config::RouterConfig& config, metrics::Registry& registry);

  absl::Status Listen(const std::string& metrics_address);
  void OnReadyChange(bool ready);

  const config::RouterConfig config_;
  // In the order in which each may use those above it; destroyed the other way round.
  edge::EdgeMetrics edge_metrics_;
  admission::Admission admission_;
  discovery::Catalog catalog_;
  std::optional<dispatch::Pool> text_;
  std::optional<dispatch::Pool> vision_;
  std::optional<dispatch::Pool> video_;
  std::optional<dispatch::DecoderPool> decoders_;
  cache::EncodedCache cache_;
  std::vector<discovery::ServiceSpec> services_;

  base::Mutex mutex_;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  // Null before it listens and from the beginning of the shutdown.
  rpc::Server* serving_ ABSL_GUARDED_BY(mutex_) = nullptr;

  std::optional<discovery::Discovery> discovery_;
  // None where the model cannot be changed by a call.
  std::optional<loading::ModelLoader> loader_;
  std::optional<edge::EmbeddingService> embedding_;
  std::optional<edge::ClusterService> cluster_;
  std::optional<edge::GenerationService> generation_;
  std::optional<edge::RetrievalService> retrieval_;
  std::optional<edge::ActionService> action_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace terminus::services::router
