#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/nn/linear.h"
#include "models/vision/backbone.h"

namespace terminus::models::vision {

// One group of equal blocks.
struct StageConfig {
  int blocks = 0;
  int kernel = 0;
  int stride = 0;  // Of the first block; the others have 1.
  int expansion = 0;
  int channels = 0;
};

// EfficientNet-Lite 0 to 4: "EfficientNet: Rethinking Model Scaling for Convolutional Neural
// Networks" (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6, as timm names it.
struct EfficientNetLiteConfig {
  std::vector<StageConfig> stages;
  int classes = 0;
  double batch_norm_eps = 0;
  nn::Padding padding = nn::Padding::kSymmetric;
};

// Reads FOLDER/config.json. INVALID_ARGUMENT lists what is supported when the model is another.
absl::StatusOr<EfficientNetLiteConfig> ReadEfficientNetLiteConfig(const std::string& folder);

class EfficientNetLite {
 public:
  static constexpr int kFeatures = 1280;

  // Asks `weights` for each tensor; the caller looks at its status afterwards.
  EfficientNetLite(const EfficientNetLiteConfig& config, const kernels::PixelTransform& transform,
                   checkpoint::Weights& weights);

  // Images → pooled features [batch, 1280].
  at::Tensor Features(const executor::ImageBatch& batch) { return backbone_->Features(batch); }

  // Features → logits [batch, classes].
  at::Tensor Classify(const at::Tensor& features) const { return classifier_.Forward(features); }

 private:
  std::unique_ptr<Backbone> backbone_;
  nn::Linear classifier_;
};

}  // namespace terminus::models::vision
