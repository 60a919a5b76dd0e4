#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace terminus::models::bundle {

// XXH3-128 over the names and bytes of a folder's JSON and safetensors files and its spiece.model,
// 32 hexadecimal digits: the same for the same model, wherever it lies.
absl::StatusOr<std::string> Fingerprint(const std::string& folder);

}  // namespace terminus::models::bundle
