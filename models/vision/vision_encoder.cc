#include "models/vision/vision_encoder.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "models/checkpoint/check.h"
#include "models/checkpoint/weights.h"
#include "models/vision/families.h"

namespace terminus::models::vision {
namespace {

// (value · rescale - mean) / deviation, as one product and sum.
kernels::PixelTransform TransformOf(const media::ImagePreprocessor& preprocessor) {
  kernels::PixelTransform transform;
  for (int i = 0; i < 3; ++i) {
    transform.scale[i] = preprocessor.rescale_factor() / preprocessor.std()[i];
    transform.shift[i] = -preprocessor.mean()[i] / preprocessor.std()[i];
  }
  return transform;
}

// Pictures to set the range of numbers in FP8 by, uint8 [8, height, width, 3]: noise of eight
// sizes, from single pixels to the whole image, from black to white. What pictures bring about is
// no larger; FP8 leaves room for twice as much.
at::Tensor CalibrationImages(int64_t height, int64_t width) {
  constexpr int kImages = 8;
  const at::Tensor images = at::empty({kImages, height, width, 3}, at::kByte);
  at::Generator generator = at::detail::createCPUGenerator(/*seed_val=*/1);
  for (int i = 0; i < kImages; ++i) {
    const std::array<int64_t, 2> size = {height, width};
    const at::Tensor coarse = at::rand(
        {1, 3, std::max<int64_t>(1, height >> i), std::max<int64_t>(1, width >> i)}, generator);
    images[i].copy_(
        at::upsample_bilinear2d(coarse, size, /*align_corners=*/false)[0].permute({1, 2, 0}).mul(
            255));
  }
  return images;
}

}  // namespace

at::Tensor ClassMixture::Project(const at::Tensor& logits) const {
  const auto [values, classes] = (logits / temperature).topk(top_k, 1);
  // The softmax over the likeliest is the renormalised softmax over all.
  const at::Tensor weights = at::softmax(values, 1).unsqueeze(1);  // [batch, 1, top_k]
  const at::Tensor vectors =
      class_vectors.index_select(0, classes.flatten()).view({logits.size(0), top_k, -1});
  return at::matmul(weights, vectors).squeeze(1);
}

absl::StatusOr<std::unique_ptr<VisionEncoder>> VisionEncoder::Load(
    const std::string& folder, const media::ImagePreprocessor& preprocessor,
    const nn::Placement& placement) {
  TERMINUS_RETURN_IF_ERROR(checkpoint::CheckOnMeta(placement.device, [&](at::Device meta) {
    return Load(folder, preprocessor, {.device = meta, .dtype = placement.dtype}).status();
  }));
  TERMINUS_ASSIGN_OR_RETURN(const VisionPlan plan, ReadVisionPlan(folder));
  TERMINUS_ASSIGN_OR_RETURN(auto weights,
                            checkpoint::Weights::Open(folder, placement.device, plan.names));
  auto tower = plan.build({.height = preprocessor.height(),
                           .width = preprocessor.width(),
                           .transform = TransformOf(preprocessor)},
                          nn::Loader(weights, placement.dtype));
  TERMINUS_RETURN_IF_ERROR(base::Annotate(tower.status(), folder + "/preprocessor_config.json"));
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return std::unique_ptr<VisionEncoder>(
      new VisionEncoder(*std::move(tower), preprocessor, placement));
}

VisionEncoder::VisionEncoder(std::unique_ptr<VisionTower> tower,
                             const media::ImagePreprocessor& preprocessor,
                             const nn::Placement& placement)
    : tower_(std::move(tower)),
      placement_(placement),
      height_(preprocessor.height()),
      width_(preprocessor.width()) {}

absl::Status VisionEncoder::Prepare(int max_batch) {
  if (!placement_.device.is_cuda()) {
    return absl::OkStatus();
  }
  const c10::InferenceMode inference;
  if (placement_.fp8) {
    TERMINUS_RETURN_IF_ERROR(
        tower_->UseFp8(CalibrationImages(height_, width_).to(placement_.device)));
  }
  graphs_ = std::make_unique<nn::GraphLadder>(
      [this](const at::Tensor& pixels) { return Finish(tower_->EmbedPixels(pixels)); },
      at::IntArrayRef({height_, width_, 3}),
      at::TensorOptions().device(placement_.device).dtype(at::kByte), max_batch);
  return absl::OkStatus();
}

at::Tensor VisionEncoder::Finish(const at::Tensor& vectors) const {
  return (projection_ ? projection_->Project(tower_->classifier()->Forward(vectors)) : vectors)
      .to(at::kFloat);
}

int VisionEncoder::dimension() const {
  return projection_ ? static_cast<int>(projection_->class_vectors.size(1)) : tower_->dimension();
}

absl::StatusOr<executor::Embeddings> VisionEncoder::Encode(const executor::ImageBatch& batch) {
  const c10::InferenceMode inference;
  TERMINUS_RETURN_IF_ERROR(tower_->CheckSize(batch.height, batch.width));
  const size_t expected = static_cast<size_t>(batch.count) * batch.height * batch.width * 3;
  if (batch.count < 0 || batch.pixels.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat(batch.pixels.size(), " bytes of pixels for ",
                                                   batch.count, " images, expected ", expected));
  }
  executor::Embeddings out{.count = batch.count, .dimension = dimension()};
  out.values.resize(static_cast<size_t>(out.count) * out.dimension);
  if (batch.count == 0) {
    return out;
  }
  at::Tensor to = at::from_blob(out.values.data(), {out.count, out.dimension}, at::kFloat);
  if (graphs_ != nullptr) {
    // Read only.
    auto* pixels = const_cast<uint8_t*>(batch.pixels.data());
    to.copy_(graphs_->Run(
        at::from_blob(pixels, {batch.count, batch.height, batch.width, 3}, at::kByte)));
  } else {
    to.copy_(Finish(tower_->Embed(batch)));
  }
  return out;
}

}  // namespace terminus::models::vision
