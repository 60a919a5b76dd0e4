#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace terminus::services::decoder::load {

// A fingerprint of a language model's folder, by which the ranks of a grid know that they have the
// same model: its config.json, and the names, sizes and headers of its safetensors files. No rank
// reads all bytes for it. 32 hexadecimal digits.
absl::StatusOr<std::string> FingerprintHeaders(const std::string& folder);

}  // namespace terminus::services::decoder::load
