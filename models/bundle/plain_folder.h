#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/bundle/manifest.h"

namespace terminus::models::bundle {

// A manifest for a folder of one model, by its config.json: every encoder that it holds, and a
// space of its own, named by a hash of its files, or without a name unless `identify`.
// INVALID_ARGUMENT or NOT_FOUND say what is not supported or missing.
absl::StatusOr<BundleManifest> ReadPlainFolder(const std::string& folder, bool identify = true);

// The types of config.json that there are loaders for, which the catalog must list.
std::vector<std::string> TextFamilyNames();
std::vector<std::string> VisionFamilyNames();

}  // namespace terminus::models::bundle
