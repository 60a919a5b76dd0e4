#include "models/vision/siglip_vision.h"

#include "common/base/status_macros.h"
#include "models/checkpoint/tower_section.h"
#include "models/settings/contrastive_config.h"
#include "models/settings/vision_config.h"
#include "models/vision/vit_config.h"

namespace terminus::models::vision {
namespace {

// In front of the whole model's tensors, and of the tower's, in some checkpoints twice.
constexpr absl::string_view kPrefixes[] = {"siglip.", "vision_model.", "vision_model."};

}  // namespace

absl::StatusOr<VisionPlan> ReadSiglipVisionPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(auto section, checkpoint::TowerSection::Read(
                                              folder, "vision_config", &settings::kSiglipConfig,
                                              &settings::kSiglipVisionModelConfig));
  settings::JsonFile& file = section.tower();
  VitConfig config{.image_size = 224,
                   .patch_size = 16,
                   .transformer = {.layers = 12,
                                   .block = {.heads = 12,
                                             .layer_norm_eps = 1e-6,
                                             .mlp = {.hidden = 768, .intermediate = 3072}}},
                   .pooling = VitPooling::kAttention,
                   .names = {.patches = "embeddings.patch_embedding",
                             .positions = "embeddings.position_embedding.weight",
                             .layer = "encoder.layers.",
                             .block = nn::kClipBlockNames,
                             .post_norm = "post_layernorm",
                             .head = "head"},
                   .tensor_names = {.prefixes = kPrefixes}};
  ReadVitConfig(file, /*pairs=*/false, &config);
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "gelu_pytorch_tanh");
  TERMINUS_RETURN_IF_ERROR(section.Finish());
  return PlanOf(config);
}

}  // namespace terminus::models::vision
