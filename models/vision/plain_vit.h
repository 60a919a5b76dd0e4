#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "models/vision/vision_tower.h"

// Image encoders without a text tower. An image's vector is the class token's last hidden state,
// behind the last norm: transformers' last_hidden_state[:, 0].
namespace terminus::models::vision {

// A ViTModel folder, or that of a model with a head on top, which is not looked at: "An Image is
// Worth 16x16 Words" (Dosovitskiy et al., 2020).
absl::StatusOr<VisionPlan> ReadPlainVitPlan(const std::string& folder);

// A Dinov2Model folder, or that of a model with a head on top: "DINOv2: Learning Robust Visual
// Features without Supervision" (Oquab et al., 2023). Images need not have the size it was trained
// with: positions are interpolated once, for the preprocessor's.
absl::StatusOr<VisionPlan> ReadDinov2Plan(const std::string& folder);

}  // namespace terminus::models::vision
