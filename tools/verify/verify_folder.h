#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/bundle/verify_report.h"

namespace terminus::tools::verify {

// One model of a folder, loaded as its service loads it, and what the readiness check said of it.
struct Checked {
  std::string modality;  // "text", "image", "video" or "language model".
  std::string device;    // Empty when it could not be loaded.
  absl::Status status;   // Of loading and checking.
  models::bundle::VerifyReport report;
};

struct Options {
  std::string device = "auto";
  int threads = 0;  // 0: all cores
};

// Loads each model of a bundle or a model's folder, one after another, and checks it. The error is
// that of a folder that cannot be served at all.
absl::StatusOr<std::vector<Checked>> VerifyFolder(const std::string& folder,
                                                  const Options& options);

// For people: a line a comparison, and one with the largest difference.
std::string FormatText(const std::vector<Checked>& checked);

// An array of an object for each model.
nlohmann::json ModelsJson(const std::vector<Checked>& checked);

// One line of JSON.
std::string FormatJson(const std::string& folder, const std::vector<Checked>& checked);

bool AllGood(const std::vector<Checked>& checked);

}  // namespace terminus::tools::verify
