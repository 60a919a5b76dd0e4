#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/cluster_config.h"
#include "common/grammar/compiler_metrics.h"
#include "common/metrics/metrics.h"
#include "services/decoder/edge/served.h"
#include "services/decoder/pipeline/engine_metrics.h"

namespace terminus::services::decoder::load {

// The metrics that all language models of a process share.
struct ModelMetrics {
  explicit ModelMetrics(metrics::Registry& registry) : engine(registry), grammars(registry) {}

  pipeline::EngineMetrics engine;
  grammar::CompilerMetrics grammars;
};

// Called once, on any thread, when a rank of a served model's grid is lost: the model answers
// nothing more.
using OnGridFailure = std::function<void(const absl::Status&)>;

// Loads a bundle, or a plain folder, and checks it. The errors are those of models::bundle, and
// INVALID_ARGUMENT for a chat template that cannot be run. `metrics` outlives the bundle.
absl::StatusOr<std::shared_ptr<edge::ServedBundle>> LoadBundle(
    const std::string& folder, const config::DecoderConfig& options, ModelMetrics& metrics,
    const OnGridFailure& on_grid_failure = {});

}  // namespace terminus::services::decoder::load
