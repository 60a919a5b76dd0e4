#include "models/vision/plain_vit.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/settings/vision_config.h"
#include "models/vision/vit_config.h"

namespace terminus::models::vision {
namespace {

using settings::JsonFile;

// Checkpoints of a model with a head have them.
constexpr absl::string_view kVitPrefixes[] = {"vit."};
constexpr absl::string_view kDinov2Prefixes[] = {"dinov2."};

// transformers 5 names parts anew; on request it also saves them so.
constexpr weights::Spelling kVitSpellings[] = {{"layers.", "encoder.layer.", /*at_start=*/true},
                                               {"attention.q_proj", "attention.attention.query"},
                                               {"attention.k_proj", "attention.attention.key"},
                                               {"attention.v_proj", "attention.attention.value"},
                                               {"attention.o_proj", "attention.output.dense"},
                                               {"mlp.fc1", "intermediate.dense"},
                                               {"mlp.fc2", "output.dense"}};
constexpr weights::Spelling kDinov2Spellings[] = {{"attention.q_proj", "attention.attention.query"},
                                                  {"attention.k_proj", "attention.attention.key"},
                                                  {"attention.v_proj", "attention.attention.value"},
                                                  {"attention.o_proj", "attention.output.dense"},
                                                  {"mlp.down_proj", "mlp.weights_out"}};

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
  const int inner = hidden * static_cast<int>(file.IntOr("mlp_ratio", 1, 64, 4));
  return gated ? (inner * 2 / 3 + 7) / 8 * 8 : inner;
}

// Reads what both have in common into `config`.
void ReadPlainVit(JsonFile& file, VitConfig* config) {
  ReadVitConfig(file, /*pairs=*/true, config);
  nn::BlockConfig& block = config->transformer.block;
  block.qkv_bias = file.BoolOr("qkv_bias", true);
  const int head_dim = block.mlp.hidden / block.heads;
  if (file.IntOr("head_dim", 1, 1 << 16, head_dim) != head_dim) {
    file.Fault("head_dim",
               absl::StrCat("expected ", head_dim, ", hidden_size / num_attention_heads"));
  }
}

}  // namespace

absl::StatusOr<VisionPlan> ReadPlainVitPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(folder + "/config.json", &settings::kVitConfig));
  VitConfig config = BaseConfig();
  config.tensor_names = {.prefixes = kVitPrefixes, .spellings = kVitSpellings};
  nn::BlockNames& names = config.names.block;
  names.norm1 = "layernorm_before";
  names.norm2 = "layernorm_after";
  names.up = "intermediate.dense";
  names.down = "output.dense";
  ReadPlainVit(file, &config);
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "gelu");
  TERMINUS_RETURN_IF_ERROR(file.status());
  return PlanOf(config);
}

absl::StatusOr<VisionPlan> ReadDinov2Plan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(folder + "/config.json", &settings::kDinov2Config));
  VitConfig config = BaseConfig();
  config.tensor_names = {.prefixes = kDinov2Prefixes, .spellings = kDinov2Spellings};
  config.interpolates = true;
  config.patch_size = 14;
  config.transformer.block.layer_norm_eps = 1e-6;
  config.transformer.block.layer_scale = true;
  nn::BlockConfig& block = config.transformer.block;
  block.mlp.intermediate = 0;
  ReadPlainVit(file, &config);
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
