#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/decoder/lm_options.h"
#include "models/parallel/cost_model.h"

namespace terminus::models::parallel {

// The layers of each stage, first stage first.
using Split = std::vector<decoder::LayerRange>;

// The split whose most expensive stage is the cheapest, over all splits. Among those within 0.1% of
// it, the smallest sum of squares; then more layers in earlier stages.
// Requires: 1 <= stages <= costs.layers().
Split SplitLayers(const CostModel& costs, int stages, const Work& work);

// Reads layers of each stage, such as "17/15". INVALID_ARGUMENT unless there are `stages` positive
// numbers that add up to `layers`.
absl::StatusOr<Split> ParseSplit(absl::string_view text, int stages, int layers);

// "17/15".
std::string FormatSplit(const Split& split);

// Seconds of each stage.
std::vector<double> StageCosts(const CostModel& costs, const Split& split, const Work& work);

// The share of its time for which a stage can be busy, in the mean over stages: the slowest one
// sets the pace. Requires: `costs` is not empty.
double BusyCeiling(const std::vector<double>& costs);

}  // namespace terminus::models::parallel
