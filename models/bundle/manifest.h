#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"

namespace terminus::models::bundle {

// The space that all vectors of a bundle lie in. Only vectors with the same id may be compared.
struct Space {
  std::string id;     // 32 hexadecimal digits.
  int dimension = 0;  // 0: of a language model alone, which makes no vectors.
  double logit_scale = 1;
};

struct Projection {
  std::string type;  // "class_mixture".
  std::string path;  // A safetensors file with the tensor "class_vectors".
  int top_k = 10;
  double temperature = 1;
};

struct TextSection {
  std::string path;
};

struct VisionSection {
  std::string path;
  // Into the shared space; without it an image's vector is its pooled features.
  absl::optional<Projection> projection;
};

struct VideoSection {
  // Folder of the image model that sees each frame; often that of the vision section.
  std::string tower;
  // As for vision; that of the vision section when the folder is the same and none is named.
  absl::optional<Projection> projection;
  // Sampled from a clip that asks for no number of its own.
  int frames = 8;
  std::string pooling;  // "mean".
};

struct DecoderSection {
  std::string path;
};

// What a folder offers. Paths are joined with the folder already.
struct BundleManifest {
  std::string folder;
  std::string name;
  Space space;
  absl::optional<TextSection> text;
  absl::optional<VisionSection> vision;
  absl::optional<VideoSection> video;
  absl::optional<DecoderSection> decoder;
  std::string golden_path;  // Empty: none.
};

// Reads FOLDER/bundle.yaml. A folder without one is taken as a model of its own, by its
// config.json: its space is then named by a hash of all its files.
//
// Hashing reads all weights; without `identify` it is left out, and the space has no id.
//
// NOT_FOUND or INVALID_ARGUMENT name the path and the key, what is there and what was expected;
// for a folder that cannot be served they list what can.
absl::StatusOr<BundleManifest> ReadManifest(const std::string& folder, bool identify = true);

}  // namespace terminus::models::bundle
