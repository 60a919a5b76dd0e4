#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/executor/encoder.h"
#include "common/media/preprocessor_config.h"
#include "models/kernels/image/normalize.h"
#include "models/nn/linear.h"
#include "models/nn/loader.h"

namespace terminus::models::vision {

// What a tower is given: the images' size, and what becomes of their pixels.
struct ImageInput {
  int height = 0;
  int width = 0;
  kernels::PixelTransform transform;
};

// The layers of an image encoder, from pixels to one vector an image. For one thread at a time.
class VisionTower {
 public:
  virtual ~VisionTower() = default;

  // INVALID_ARGUMENT for images of a size that it does not take.
  virtual absl::Status CheckSize(int height, int width) const = 0;

  // Images of a size that it takes → [images, dimension]. For weights on the CPU.
  virtual at::Tensor Embed(const executor::ImageBatch& batch) = 0;

  // The same of pixels uint8 [images, height, width, 3] on the device of the weights. Depends on
  // nothing but the tensor, and never waits for the device.
  virtual at::Tensor EmbedPixels(const at::Tensor& pixels) const = 0;

  // From now on products are in FP8, for what such pixels bring about and twice as much.
  // UNIMPLEMENTED for towers, devices and sizes that have none.
  virtual absl::Status UseFp8(const at::Tensor& pixels);

  virtual int dimension() const = 0;

  // From vectors to logits, [images, dimension] → [images, classes]; null when the checkpoint has
  // no such map.
  virtual const nn::Linear* classifier() const { return nullptr; }
  virtual int classes() const { return 0; }
};

// What a folder's config.json describes, before any weight is read.
struct VisionPlan {
  int dimension = 0;
  // How a checkpoint may write the names of its tensors.
  weights::TensorNames names;
  // Asks for each tensor; the caller looks at the weights' status afterwards. INVALID_ARGUMENT for
  // images of a size that the tower does not take.
  std::function<absl::StatusOr<std::unique_ptr<VisionTower>>(const ImageInput&, const nn::Loader&)>
      build;
  // Of a timm folder: how its config.json says that pictures are prepared.
  absl::optional<media::PreprocessorConfig> timm;
};

// Pixels as a tower takes them: [images, height, width, 3] float32 on the host.
at::Tensor Normalize(const executor::ImageBatch& batch, const kernels::PixelTransform& transform);

// The same on the device of `pixels`, uint8 [images, height, width, 3] → the same shape in `dtype`.
at::Tensor NormalizePixels(const at::Tensor& pixels, const kernels::PixelTransform& transform,
                           at::ScalarType dtype);

// CheckSize of towers that take any image of 32 to 2048 pixels a side.
absl::Status CheckAnySize(int height, int width);

}  // namespace terminus::models::vision
