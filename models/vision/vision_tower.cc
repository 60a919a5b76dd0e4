#include "models/vision/vision_tower.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::vision {
namespace {

constexpr int kMinSide = 32;
constexpr int kMaxSide = 2048;

}  // namespace

at::Tensor Normalize(const executor::ImageBatch& batch, const kernels::PixelTransform& transform) {
  at::Tensor images = at::empty({batch.count, batch.height, batch.width, 3}, at::kFloat);
  kernels::NormalizePixels(batch.pixels.data(), images.numel() / 3, transform,
                           images.mutable_data_ptr<float>());
  return images;
}

absl::Status CheckAnySize(int height, int width) {
  if (height >= kMinSide && height <= kMaxSide && width >= kMinSide && width <= kMaxSide) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("images of ", width, "×", height,
                                                 " pixels, expected ", kMinSide, " to ", kMaxSide,
                                                 " a side"));
}

}  // namespace terminus::models::vision
