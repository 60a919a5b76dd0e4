#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/executor/encoder.h"
#include "models/bundle/manifest.h"
#include "models/bundle/verify_report.h"

namespace terminus::models::bundle {

// One content, and the vector of length 1 that must come out; empty: whatever comes out alone.
struct GoldenCase {
  std::string input;  // A text, or the path of an image or a video.
  std::vector<float> vector;
};

struct Goldens {
  // Largest absolute difference of an element.
  double tolerance = 1e-3;
  std::vector<GoldenCase> texts;
  std::vector<GoldenCase> images;
  std::vector<GoldenCase> videos;
};

// Reads a bundle's golden.json; paths in it are joined with its folder. INVALID_ARGUMENT names the
// file and what is wrong, also when a vector is not of `dimension`.
absl::StatusOr<Goldens> ReadGoldens(const std::string& path, int dimension);

// Those of a manifest; none when it names no file.
absl::StatusOr<Goldens> GoldensOf(const BundleManifest& manifest);

// Compares cases with what `encode` makes of a list of their indices, alone and all in one batch.
// `encode` answers a row for each index. What was compared goes to `report`, which may be null.
absl::Status CompareGoldens(
    const std::vector<GoldenCase>& cases, double tolerance,
    absl::FunctionRef<absl::StatusOr<executor::Embeddings>(absl::Span<const size_t>)> encode,
    VerifyReport* report);

}  // namespace terminus::models::bundle
