#include "models/vision/plain_vit.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/vision/vit_config.h"

namespace terminus::models::vision {
namespace {

using settings::JsonFile;

// What both have in common.
VitConfig BaseConfig() {
  return {.image_size = 224,
          .patch_size = 16,
          .transformer = {.layers = 12,
                          .block = {.heads = 12,
                                    .layer_norm_eps = 1e-12,
                                    .mlp = {.hidden = 768, .intermediate = 3072}}},
          .pooling = VitPooling::kClass,
          .batched_positions = true,
          .names = {.class_token = "embeddings.cls_token",
                    .patches = "embeddings.patch_embeddings.projection",
                    .positions = "embeddings.position_embeddings",
                    .layer = "encoder.layer.",
                    .block = {.query = "attention.attention.query",
                              .key = "attention.attention.key",
                              .value = "attention.attention.value",
                              .attention_out = "attention.output.dense"},
                    .post_norm = "layernorm"}};
}

// Dinov2MLP's inner size, or Dinov2SwiGLUFFN's.
int InnerSize(JsonFile& file, int hidden, bool gated) {
  const double ratio = file.NumberOr("mlp_ratio", 4);
  if (!(ratio > 0 && ratio <= 64)) {
    file.Fault("mlp_ratio", "expected a number above 0, at most 64");
    return hidden;
  }
  const int inner = static_cast<int>(hidden * ratio);
  return gated ? (inner * 2 / 3 + 7) / 8 * 8 : inner;
}

}  // namespace

absl::StatusOr<VisionPlan> ReadPlainVitPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(folder + "/config.json"));
  VitConfig config = BaseConfig();
  config.prefix = "vit.";
  nn::BlockNames& names = config.names.block;
  names.norm1 = "layernorm_before";
  names.norm2 = "layernorm_after";
  names.up = "intermediate.dense";
  names.down = "output.dense";
  ReadVitConfig(file, &config);
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "gelu");
  config.transformer.block.qkv_bias = file.BoolOr("qkv_bias", true);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return PlanOf(config);
}

absl::StatusOr<VisionPlan> ReadDinov2Plan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(folder + "/config.json"));
  VitConfig config = BaseConfig();
  config.prefix = "dinov2.";
  config.interpolates = true;
  config.patch_size = 14;
  config.transformer.block.layer_norm_eps = 1e-6;
  config.transformer.block.layer_scale = true;
  ReadVitConfig(file, &config);
  nn::BlockConfig& block = config.transformer.block;
  block.qkv_bias = file.BoolOr("qkv_bias", true);
  block.mlp.gated = file.BoolOr("use_swiglu_ffn", false);
  block.mlp.intermediate = InnerSize(file, block.mlp.hidden, block.mlp.gated);
  if (!block.mlp.gated) {
    block.mlp.activation = nn::ReadActivation(file, "gelu");
  }
  nn::BlockNames& names = config.names.block;
  names.norm1 = "norm1";
  names.norm2 = "norm2";
  names.up = block.mlp.gated ? "mlp.weights_in" : "mlp.fc1";
  names.down = block.mlp.gated ? "mlp.weights_out" : "mlp.fc2";
  names.scale1 = "layer_scale1.lambda1";
  names.scale2 = "layer_scale2.lambda1";
  TERMINUS_RETURN_IF_ERROR(file.status());
  return PlanOf(config);
}

}  // namespace terminus::models::vision
