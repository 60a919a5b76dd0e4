#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace terminus::settings_test {

// What a folder's model makes of a golden's inputs.
struct Outcome {
  // Of each text, each text behind each prompt, each picture; or the logits behind each prompt.
  std::vector<std::vector<float>> vectors;
  // What greedily follows each prompt; empty where tokens are drawn.
  std::vector<std::vector<int32_t>> ids;
  bool sampling = false;
  // Tokens of the longest text, and the limit that cut one, by key and file; empty: none was cut.
  int max_tokens = 0;
  std::string cut_by;
};

// Loads the folder as a service does, on the CPU, and runs it. An error is one of loading.
absl::StatusOr<Outcome> RunFolder(const nlohmann::json& golden, const std::string& folder);

// Empty when `outcome` is the golden's, else what differs.
std::string Difference(const nlohmann::json& expected, const Outcome& outcome);

}  // namespace terminus::settings_test
