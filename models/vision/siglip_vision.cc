#include "models/vision/siglip_vision.h"

#include "common/base/status_macros.h"
#include "models/checkpoint/tower_section.h"
#include "models/vision/vit_config.h"

namespace terminus::models::vision {

absl::StatusOr<VisionPlan> ReadSiglipVisionPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(auto section, checkpoint::TowerSection::Read(folder, "vision_config"));
  settings::JsonFile& file = section.tower();
  VitConfig config{.image_size = 224,
                   .patch_size = 16,
                   .transformer = {.layers = 12,
                                   .block = {.heads = 12,
                                             .layer_norm_eps = 1e-6,
                                             .mlp = {.hidden = 768, .intermediate = 3072}}},
                   .pooling = VitPooling::kAttention,
                   .prefix = "vision_model.",
                   .names = {.patches = "embeddings.patch_embedding",
                             .positions = "embeddings.position_embedding.weight",
                             .layer = "encoder.layers.",
                             .block = nn::kClipBlockNames,
                             .post_norm = "post_layernorm",
                             .head = "head"}};
  ReadVitConfig(file, &config);
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "gelu_pytorch_tanh");
  if (!file.BoolOr("vision_use_head", true)) {
    file.Fault("vision_use_head", "false, supported is true");
  }
  TERMINUS_RETURN_IF_ERROR(section.Finish());
  return PlanOf(config);
}

}  // namespace terminus::models::vision
