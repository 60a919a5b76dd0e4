#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/batching/task.h"
#include "common/config/cluster_config.h"
#include "services/router/admission/admission.h"
#include "services/router/discovery/catalog.h"
#include "services/router/dispatch/encode_task.h"
#include "services/router/dispatch/pool.h"
#include "services/router/edge/edge_metrics.h"
#include "terminus/v1/embedding.pb.h"

namespace terminus::services::router::edge {

// What all embedding calls share. Everything pointed to outlives them.
struct EdgeParts {
  config::Limits limits;
  absl::Duration default_deadline;
  const discovery::Catalog* catalog = nullptr;
  admission::Admission* admission = nullptr;
  // Null when the cluster has no such service.
  dispatch::Pool* text = nullptr;
  dispatch::Pool* vision = nullptr;
  dispatch::Pool* video = nullptr;
  EdgeMetrics* metrics = nullptr;
};

// What an embedding call was checked against; the same for all its items.
struct CallScope {
  v1::EmbedOptions options;
  std::shared_ptr<const dispatch::ServedModel> model;
  absl::Time deadline;
  std::shared_ptr<const batching::CancelFlag> cancel;
  dispatch::EncodeOwner* owner = nullptr;
};

// The way in and out that Embed and EmbedStream have in common. Thread-safe.
class Edge {
 public:
  explicit Edge(const EdgeParts& parts) : parts_(parts) {}

  // The served model, if it has the name; an empty one stands for any. UNAVAILABLE when no replica
  // has been seen yet, NOT_FOUND when there is no model of that name, or none at all.
  absl::StatusOr<std::shared_ptr<const dispatch::ServedModel>> FindModel(
      const std::string& model) const;

  // As FindModel, for a call that asks for vectors: the model must make some, and know the options.
  absl::StatusOr<std::shared_ptr<const dispatch::ServedModel>> CheckCall(
      const std::string& model, const v1::EmbedOptions& options) const;

  // Checks one content and writes its hash. Either the item's result is final when this returns
  // (a fault, or an embedding passed in) and null is returned; or a task, with the content moved
  // into it. `field` is the content's place in the request.
  std::unique_ptr<dispatch::EncodeTask> TakeIn(v1::Content& content, absl::string_view field,
                                               const CallScope& scope, uint64_t slot,
                                               v1::EmbedResult& result) const;

  // Sends tasks of one call to their pools, each pool's together.
  void Submit(std::vector<std::unique_ptr<dispatch::EncodeTask>> tasks) const;

  // Writes what came of a task.
  static void WriteOutcome(dispatch::EncodeOutcome& outcome, absl::string_view field,
                           const v1::EmbedOptions& options, v1::EmbedResult& result);

  // After a cancel flag was raised.
  void SweepCancelled() const;

  const EdgeParts& parts() const { return parts_; }

 private:
  dispatch::Pool* PoolOf(v1::Content::KindCase kind) const;
  // Whether the cluster has a service for such a content, and the model a part for the service.
  // INVALID_ARGUMENT, UNSUPPORTED_MODALITY.
  absl::Status CheckServed(v1::Content::KindCase kind, absl::string_view field,
                           const dispatch::ServedModel& model) const;

  const EdgeParts parts_;
};

}  // namespace terminus::services::router::edge
