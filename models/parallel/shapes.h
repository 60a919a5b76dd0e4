#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/decoder/llama_config.h"

namespace terminus::models::parallel {

// The shape of a published model, without its folder: "8b", "70b" or "405b" of Llama 3.1, as their
// config.json has it. INVALID_ARGUMENT lists the names.
absl::StatusOr<decoder::LlamaConfig> ShapeByName(absl::string_view name);

}  // namespace terminus::models::parallel
