#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/executor/encoder.h"
#include "common/media/preprocessor.h"
#include "models/kernels/image/normalize.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {

// Into the space of the text encoder without training: the mean of the class names' text vectors,
// weighted by the classifier's probabilities. "Zero-Shot Learning by Convex Combination of Semantic
// Embeddings" (Norouzi et al., 2013).
struct ClassMixture {
  at::Tensor class_vectors;  // [classes, dimension]
  int top_k = 0;             // Likeliest classes that count, their probabilities renormalised.
  double temperature = 1;

  // logits [batch, classes] → [batch, dimension].
  at::Tensor Project(const at::Tensor& logits) const;
};

// Images to vectors: of the shared space with a projection of its own or a given one, features
// without.
class VisionEncoder : public executor::Encoder<executor::ImageBatch> {
 public:
  // Reads a model's folder, of any of VisionFamilies(), to compute in `dtype`. Size, mean and
  // deviation of the images are the preprocessor's.
  static absl::StatusOr<std::unique_ptr<VisionEncoder>> Load(
      const std::string& folder, const media::ImagePreprocessor& preprocessor, at::Device device,
      at::ScalarType dtype = at::kFloat);

  // Before the first Encode. The number of classes must be the model's, and not 0.
  void set_projection(ClassMixture projection) { projection_ = std::move(projection); }

  absl::StatusOr<executor::Embeddings> Encode(const executor::ImageBatch& batch) override;

  int dimension() const override;
  // Of the model's own classifier; 0: it has none.
  int classes() const { return tower_->classes(); }

 private:
  explicit VisionEncoder(std::unique_ptr<VisionTower> tower) : tower_(std::move(tower)) {}

  std::unique_ptr<VisionTower> tower_;
  std::optional<ClassMixture> projection_;
};

}  // namespace terminus::models::vision
