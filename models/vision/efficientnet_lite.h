#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/nn/linear.h"
#include "models/vision/depth_first.h"
#include "models/vision/layerwise.h"
#include "models/vision/vision_tower.h"

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

// Reads the config.json of a timm folder. INVALID_ARGUMENT lists what is supported when the model
// is another.
absl::StatusOr<VisionPlan> ReadEfficientNetLitePlan(const std::string& folder);

class EfficientNetLite : public VisionTower {
 public:
  static constexpr int kFeatures = 1280;

  EfficientNetLite(const EfficientNetLiteConfig& config, const kernels::PixelTransform& transform,
                   const nn::Loader& loader);

  absl::Status CheckSize(int height, int width) const override {
    return CheckAnySize(height, width);
  }
  // → pooled features.
  at::Tensor Embed(const executor::ImageBatch& batch) override {
    return depth_first_ ? depth_first_->Features(batch) : layerwise_->Features(batch);
  }
  at::Tensor EmbedPixels(const at::Tensor& pixels) const override;
  int dimension() const override { return kFeatures; }
  const nn::Linear* classifier() const override { return &classifier_; }
  int classes() const override { return classes_; }

 private:
  int classes_;
  // One of the two: the first on processors that have what it needs.
  std::unique_ptr<DepthFirst> depth_first_;
  std::unique_ptr<Layerwise> layerwise_;
  nn::Linear classifier_;
};

}  // namespace terminus::models::vision
