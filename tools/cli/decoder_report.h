#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/parallel/decoder_plan.h"

namespace terminus::tools::cli {

// The output of `terminus plan decoder`, for a person.
std::string FormatDecoderPlan(const models::parallel::DecoderPlan& plan);

// A line for each grid.
std::string FormatGrids(const std::vector<models::parallel::DecoderPlan>& plans);

// The numbers of FormatDecoderPlan as one object: seconds, bytes and shares of 1.
nlohmann::json DecoderPlanJson(const models::parallel::DecoderPlan& plan);

}  // namespace terminus::tools::cli
