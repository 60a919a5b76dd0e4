#include "models/vision/vision_encoder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
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
    const std::string& folder, const media::ImagePreprocessor& preprocessor, at::Device device,
    at::ScalarType dtype) {
  TERMINUS_ASSIGN_OR_RETURN(const VisionPlan plan, ReadVisionPlan(folder));
  TERMINUS_ASSIGN_OR_RETURN(auto weights, checkpoint::Weights::Open(folder, device));
  auto tower = plan.build({.height = preprocessor.height(),
                           .width = preprocessor.width(),
                           .transform = TransformOf(preprocessor)},
                          nn::Loader(weights, dtype));
  TERMINUS_RETURN_IF_ERROR(base::Annotate(tower.status(), folder + "/preprocessor_config.json"));
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return std::unique_ptr<VisionEncoder>(new VisionEncoder(*std::move(tower)));
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
  const at::Tensor features = tower_->Embed(batch);
  at::from_blob(out.values.data(), {out.count, out.dimension}, at::kFloat)
      .copy_(projection_ ? projection_->Project(tower_->classifier()->Forward(features))
                         : features);
  return out;
}

}  // namespace terminus::models::vision
