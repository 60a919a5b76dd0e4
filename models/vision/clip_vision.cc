#include "models/vision/clip_vision.h"

#include "common/base/status_macros.h"
#include "models/checkpoint/tower_section.h"
#include "models/settings/contrastive_config.h"
#include "models/settings/vision_config.h"
#include "models/vision/vit_config.h"

namespace terminus::models::vision {
namespace {

// In front of the whole model's tensors, and of the tower's, in some checkpoints twice.
constexpr absl::string_view kPrefixes[] = {"clip.", "vision_model.", "vision_model."};

}  // namespace

absl::StatusOr<VisionPlan> ReadClipVisionPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(
      auto section, checkpoint::TowerSection::Read(folder, "vision_config", &settings::kClipConfig,
                                                   &settings::kClipVisionModelConfig));
  settings::JsonFile& file = section.tower();
  VitConfig config{.image_size = 224,
                   .patch_size = 32,
                   .transformer = {.layers = 12,
                                   .block = {.heads = 12,
                                             .layer_norm_eps = 1e-5,
                                             .mlp = {.hidden = 768, .intermediate = 3072}}},
                   .pooling = VitPooling::kClass,
                   .patch_bias = false,
                   .names = {.class_token = "embeddings.class_embedding",
                             .patches = "embeddings.patch_embedding",
                             .positions = "embeddings.position_embedding.weight",
                             .pre_norm = "pre_layrnorm",
                             .layer = "encoder.layers.",
                             .block = nn::kClipBlockNames,
                             .post_norm = "post_layernorm",
                             .projection = "visual_projection"},
                   .tensor_names = {.prefixes = kPrefixes}};
  ReadVitConfig(file, /*pairs=*/false, &config);
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "quick_gelu");
  config.projection_dim =
      static_cast<int>(section.model().IntOr("projection_dim", 1, 1 << 16, 512));
  TERMINUS_RETURN_IF_ERROR(section.Finish());
  return PlanOf(config);
}

}  // namespace terminus::models::vision
