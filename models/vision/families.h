#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {

// A kind of image encoder.
struct VisionFamily {
  // The "model_type" of its config.json or, of timm's, the beginning of "architecture" behind an
  // optional "tf_".
  absl::string_view type;
  // Reads FOLDER/config.json. INVALID_ARGUMENT names each value that is not supported.
  absl::StatusOr<VisionPlan> (*read)(const std::string& folder);
  bool timm = false;
};

const std::vector<VisionFamily>& VisionFamilies();

// Of the family that FOLDER/config.json names; INVALID_ARGUMENT lists them all when it is none.
absl::StatusOr<VisionPlan> ReadVisionPlan(const std::string& folder);

}  // namespace terminus::models::vision
