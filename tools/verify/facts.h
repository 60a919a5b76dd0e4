#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace terminus::tools::verify {

// Tensors of one stored dtype.
struct DTypeShare {
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;
};

// What a model's folder says of itself: config.json, the headers of its safetensors files,
// tokenizer.json, preprocessor_config.json. A file that cannot be read leaves its facts empty;
// whether the folder can be served is not judged here.
struct ModelFacts {
  std::string folder;
  // config.json's model_type or, for timm, its architecture. Empty: neither is there.
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
  // The kind and its size; empty: the folder has none.
  std::string tokenizer;
  std::string preprocessor;
};

// The facts of each model that a bundle names, each folder once, or of the one model of a plain
// folder. Empty for a folder that is not there and for a bundle.yaml that is no YAML.
std::vector<ModelFacts> ReadFacts(const std::string& folder);

}  // namespace terminus::tools::verify
