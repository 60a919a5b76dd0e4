#include "models/vision/vision_tower.h"

#include "absl/strings/str_cat.h"
#include "models/nn/cuda_ops.h"

namespace terminus::models::vision {
namespace {

constexpr int kMinSide = 32;
constexpr int kMaxSide = 2048;

}  // namespace

absl::Status VisionTower::UseFp8(const at::Tensor& /*pixels*/) {
  return absl::UnimplementedError("this family of image models has no products in FP8");
}

at::Tensor NormalizePixels(const at::Tensor& pixels, const kernels::PixelTransform& transform,
                           at::ScalarType dtype) {
  if (nn::cuda_ops::Serves(pixels.device(), dtype)) {
    return nn::cuda_ops::Patches(pixels, transform, /*side=*/1).view(pixels.sizes());
  }
  at::Tensor values = at::empty(pixels.sizes(), pixels.options().dtype(at::kFloat));
  for (int c = 0; c < 3; ++c) {
    values.select(3, c)
        .copy_(pixels.select(3, c))
        .mul_(transform.scale[c])
        .add_(transform.shift[c]);
  }
  return values.to(dtype);
}

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
