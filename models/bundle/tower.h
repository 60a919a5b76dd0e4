#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "models/bundle/bundle.h"

// Shared by the loaders of this folder, and by nothing else.
namespace terminus::models::bundle {

// The image model of a folder, with a projection into the manifest's space.
absl::StatusOr<VisionModel> LoadTower(const BundleManifest& manifest, const std::string& path,
                                      const absl::optional<Projection>& projection,
                                      const DeviceOptions& options);

// Warns of tokens of the tokenizer at `path` that a model of `rows` embeddings cannot encode.
void WarnOfTokensBeyond(const std::string& path, const tokenizer::Tokenizer& tokenizer, int rows);

// FAILED_PRECONDITION, NOT_IN_BUNDLE: no such encoder, and which there are.
absl::Status NoSection(const BundleManifest& manifest, const char* modality);

}  // namespace terminus::models::bundle
