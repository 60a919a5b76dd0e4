#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/nn/linear.h"
#include "models/vision/backbone.h"
#include "models/vision/layerwise.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {

// "Deep Residual Learning for Image Recognition" (He et al., 2015), as transformers' ResNetModel
// and ResNetForImageClassification have it.
struct ResNetConfig {
  int stem_channels = 64;
  std::vector<int> channels;  // Of each stage.
  std::vector<int> depths;    // Blocks of each stage.
  bool bottleneck = true;     // 1×1, 3×3, 1×1 over a quarter of the channels; else 3×3, 3×3.
  // Whether the first stage halves the image too.
  bool downsample_first_stage = false;
  // Whether a bottleneck's stride is that of its first convolution, not of its second.
  bool downsample_first_layer = false;
};

// Reads FOLDER/config.json.
absl::StatusOr<VisionPlan> ReadResNetPlan(const std::string& folder);

class ResNet : public VisionTower {
 public:
  ResNet(const ResNetConfig& config, const kernels::PixelTransform& transform,
         const nn::Loader& loader);

  absl::Status CheckSize(int height, int width) const override {
    return CheckAnySize(height, width);
  }
  // → features averaged over the image.
  at::Tensor Embed(const executor::ImageBatch& batch) override {
    return backbone_->Features(batch);
  }
  at::Tensor EmbedPixels(const at::Tensor& pixels) const override;
  int dimension() const override { return config_.channels.back(); }
  const nn::Linear* classifier() const override { return classifier_ ? &*classifier_ : nullptr; }
  int classes() const override { return classes_; }

 private:
  ResNetConfig config_;
  std::unique_ptr<Backbone> backbone_;
  const Layerwise* layerwise_ = nullptr;  // The backbone, where it is of this kind: on a GPU, say.
  int classes_ = 0;
  std::optional<nn::Linear> classifier_;
};

}  // namespace terminus::models::vision
