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
#include "models/nn/graph_ladder.h"
#include "models/nn/placement.h"
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
      const std::string& folder, const media::ImagePreprocessor& preprocessor,
      const nn::Placement& placement = {});

  // Before Prepare. The number of classes must be the model's, and not 0.
  void set_projection(ClassMixture projection) { projection_ = std::move(projection); }

  // On a GPU: makes ready for batches of up to `max_batch` images, as CUDA graphs; larger ones are
  // cut. Before the first Encode. UNIMPLEMENTED when the model has no products in FP8 and they were
  // asked for.
  absl::Status Prepare(int max_batch);

  absl::StatusOr<executor::Embeddings> Encode(const executor::ImageBatch& batch) override;

  // The same of pixels uint8 [images, height, width, 3], on a GPU for which it was prepared →
  // [images, dimension] float32 there, overwritten by the next call.
  at::Tensor EncodePixels(const at::Tensor& pixels) { return graphs_->Run(pixels); }

  int dimension() const override;
  // Of the model's own classifier; 0: it has none.
  int classes() const { return tower_->classes(); }

 private:
  VisionEncoder(std::unique_ptr<VisionTower> tower, const media::ImagePreprocessor& preprocessor,
                const nn::Placement& placement);

  // Of the tower's vectors, as the encoder answers them: [images, dimension] float32.
  at::Tensor Finish(const at::Tensor& vectors) const;

  std::unique_ptr<VisionTower> tower_;
  nn::Placement placement_;
  // Of the images, in pixels.
  int height_;
  int width_;
  std::optional<ClassMixture> projection_;
  std::unique_ptr<nn::GraphLadder> graphs_;  // On a GPU, once it is prepared.
};

}  // namespace terminus::models::vision
