#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace terminus::models::text {

// A linear map and what follows it, as sentence-transformers' Dense module has them.
struct DenseConfig {
  enum class Activation { kIdentity, kTanh, kRelu, kGelu, kSigmoid };

  // Where its config.json and model.safetensors are.
  std::string folder;
  int in_features = 0;
  int out_features = 0;
  bool bias = true;
  Activation activation = Activation::kTanh;
};

// Reads FOLDER/config.json. INVALID_ARGUMENT names each value that is not supported.
absl::StatusOr<DenseConfig> ReadDenseConfig(const std::string& folder);

}  // namespace terminus::models::text
