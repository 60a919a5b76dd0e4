#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "models/catalog/catalog.h"

namespace terminus::tools::cli {

// Tensors of one stored dtype.
struct DTypeShare {
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;
};

// What a model's folder says of itself, without loading it: config.json, the headers of its
// safetensors files, tokenizer.json, preprocessor_config.json.
struct ModelFacts {
  std::string folder;
  // What config.json calls it; for timm, its architecture. Empty: neither is there.
  std::string family;
  // "text encoder", "image encoder", "language model"; empty for a family that is not served.
  std::string kind;
  // Processes that serve it.
  std::vector<std::string> services;
  // Sizes as config.json names them, in the order of the model.
  std::vector<std::pair<std::string, std::string>> sizes;
  // Elements of all tensors but wide integers and booleans, which count and point.
  int64_t parameters = 0;
  std::map<std::string, DTypeShare> dtypes;
  // The kind and what is known of it; empty: the folder has none.
  std::string tokenizer;
  std::string preprocessor;
  // Why it cannot be served as it is; empty: nothing was found.
  std::vector<std::string> unsupported;
};

// The services that have work for a family, besides the router. Where texts and images share a
// space, the decoder service scores one against the other.
std::vector<std::string> ServicesOf(const models::catalog::Family& family);

// The facts of each model of a bundle, or of the one model of a plain folder. What is wrong inside
// a model's folder is among its facts; the error is that of a folder or bundle.yaml that cannot be
// read.
absl::StatusOr<std::vector<ModelFacts>> InspectFolder(const std::string& folder);

// For people.
std::string FormatFacts(const std::vector<ModelFacts>& models);

// One line of JSON.
std::string FactsJson(const std::vector<ModelFacts>& models);

}  // namespace terminus::tools::cli
