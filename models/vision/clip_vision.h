#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {

// The image tower of "Learning Transferable Visual Models From Natural Language Supervision"
// (Radford et al., 2021), of a CLIPModel folder or of a CLIPVisionModelWithProjection's.
absl::StatusOr<VisionPlan> ReadClipVisionPlan(const std::string& folder);

}  // namespace terminus::models::vision
