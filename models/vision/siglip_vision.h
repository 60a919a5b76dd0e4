#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {

// The image tower of "Sigmoid Loss for Language Image Pre-Training" (Zhai et al., 2023), of a
// SiglipModel folder, SigLIP 2's of a fixed resolution among them, or of a SiglipVisionModel's.
absl::StatusOr<VisionPlan> ReadSiglipVisionPlan(const std::string& folder);

}  // namespace terminus::models::vision
