#include "models/text/clip_text.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/checkpoint/tower_section.h"
#include "models/settings/contrastive_config.h"
#include "models/settings/text_config.h"
#include "models/text/contrastive_text.h"

namespace terminus::models::text {
namespace {

// An id that configs written before transformers 4.31 name and that no text ends with.
constexpr int kLegacyEos = 2;

}  // namespace

absl::StatusOr<TextPlan> ReadClipTextPlan(const SentenceConfig& sentence) {
  TERMINUS_ASSIGN_OR_RETURN(
      auto section,
      checkpoint::TowerSection::Read(sentence.encoder_folder, "text_config", &settings::kClipConfig,
                                     &settings::kClipTextModelConfig));
  settings::JsonFile& file = section.tower();
  terminus::settings::RefuseNull(file, {"is_causal"});
  ContrastiveTextConfig config;
  config.vocab_size = static_cast<int>(file.IntOr("vocab_size", 1, 1 << 24, 49408));
  config.max_positions = static_cast<int>(file.IntOr("max_position_embeddings", 1, 1 << 20, 77));
  config.transformer =
      nn::ReadTransformerConfig(file, {.layers = 12,
                                       .block = {.heads = 8,
                                                 .layer_norm_eps = 1e-5,
                                                 .mlp = {.hidden = 512, .intermediate = 2048},
                                                 .causal = true}});
  config.transformer.block.mlp.activation = nn::ReadActivation(file, "quick_gelu");
  config.eos_token_id = static_cast<int32_t>(file.IntOr("eos_token_id", 0, 1 << 24, 49407));
  config.pooling =
      config.eos_token_id == kLegacyEos ? TokenPooling::kHighestId : TokenPooling::kEos;
  config.head = "text_projection";
  config.dimension = static_cast<int>(section.model().IntOr("projection_dim", 1, 1 << 16, 512));
  if (sentence.has_pooling) {
    file.Fault("modules.json", "CLIP's text tower pools by itself");
  }
  TERMINUS_RETURN_IF_ERROR(section.Finish());
  return TextPlan{.dimension = config.dimension,
                  .names = kContrastiveTextNames,
                  .build = [config](const nn::Loader& loader) {
                    return std::make_unique<ContrastiveText>(config, loader);
                  }};
}

}  // namespace terminus::models::text
