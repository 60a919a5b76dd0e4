#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "common/executor/encoder.h"

namespace terminus::models::video {

// How the vectors of a clip's frames become the clip's.
enum class Pooling {
  // The mean of the frames' vectors, each scaled to length 1 first: vectors are compared by angle,
  // so a frame counts no more for being long. Parameter-free and blind to order: "CLIP4Clip: An
  // Empirical Study of CLIP for End to End Video Clip Retrieval" (Luo et al., 2021), mean pooling.
  kMean,
};

// Clips to vectors of the shared space: the image tower over the frames of all clips at once, then
// pooling over time. A learned temporal encoder, which needs the tower's grid of patches rather
// than its vectors, is another Encoder<VideoBatch> beside this one.
class VideoEncoder : public executor::Encoder<executor::VideoBatch> {
 public:
  VideoEncoder(std::unique_ptr<executor::Encoder<executor::ImageBatch>> tower, Pooling pooling)
      : tower_(std::move(tower)), pooling_(pooling) {}

  // INVALID_ARGUMENT, besides what the tower says, for offsets that do not divide the frames into
  // clips. A clip whose frames all have vectors of zeros has one too.
  absl::StatusOr<executor::Embeddings> Encode(const executor::VideoBatch& batch) override;

  int dimension() const override { return tower_->dimension(); }

 private:
  const std::unique_ptr<executor::Encoder<executor::ImageBatch>> tower_;
  const Pooling pooling_;
};

}  // namespace terminus::models::video
