#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "tools/verify/verify_folder.h"

namespace terminus::tools::verify {

// What the models of a folder make of given inputs, for a comparison with another implementation.
// `inputs` may have "texts" (strings), "images" (paths), "prompts" (strings, continued greedily)
// and "tokens" (how many tokens a prompt is continued by). The answer has, for each kind that the
// folder has a model for, a list in the same order:
//   "texts"    {"token_ids", "vector"}, the vector as the service sends it without normalising
//   "images"   {"vector"}
//   "prompts"  {"token_ids", "continuation", "logits"}, the logits of the first continued token
// An input that its model refuses has an "error" instead. The error of the call is that of a folder
// or model that cannot be loaded.
absl::StatusOr<nlohmann::json> Answer(const std::string& folder, const nlohmann::json& inputs,
                                      const Options& options);

// Becomes Python with the script against_transformers.py, which asks `program` for the answers and
// compares them with those of transformers. `python` is an interpreter; empty: TERMINUS_PYTHON,
// else python3. Returns only when that fails.
absl::Status CompareWithTransformers(const std::string& folder, const std::string& program,
                                     const std::string& python, const Options& options, bool json);

}  // namespace terminus::tools::verify
