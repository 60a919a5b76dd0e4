#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/cluster_config.h"
#include "models/bundle/manifest.h"
#include "models/sampling/rules.h"
#include "services/decoder/grid/grid_stage.h"

// A language model that lies in the ranks of a grid.
namespace terminus::services::decoder::load {

// The front's side: starts the ranks, where the config leaves that to it, waits for them, and has
// them load the model of `manifest`. `on_failure` is called once if a rank is lost later on.
absl::StatusOr<std::unique_ptr<grid::GridStage>> OpenGrid(
    const models::bundle::BundleManifest& manifest, const config::DecoderConfig& options,
    const models::sampling::LogitRules& rules, std::function<void(const absl::Status&)> on_failure);

// A rank's side: options.grid.rank of the model in `bundle`. Returns when the front ends the grid:
// OK; or why the rank cannot go on.
absl::Status RunRank(const std::string& bundle, const config::DecoderConfig& options);

}  // namespace terminus::services::decoder::load
