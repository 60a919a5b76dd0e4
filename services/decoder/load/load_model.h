#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/cluster_config.h"
#include "services/decoder/edge/served.h"
#include "services/decoder/pipeline/engine_metrics.h"

namespace terminus::services::decoder::load {

// Loads a bundle, or a plain folder, and checks it. The errors are those of models::bundle, and
// INVALID_ARGUMENT for a chat template that cannot be run. `metrics` outlives the bundle.
absl::StatusOr<std::shared_ptr<edge::ServedBundle>> LoadBundle(const std::string& folder,
                                                               const config::DecoderConfig& options,
                                                               pipeline::EngineMetrics& metrics);

}  // namespace terminus::services::decoder::load
