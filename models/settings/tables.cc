#include "models/settings/tables.h"

#include "common/media/preprocessor_keys.h"
#include "common/tokenizer/folder_settings.h"
#include "common/weights/index_keys.h"
#include "models/settings/config_common.h"
#include "models/settings/contrastive_config.h"
#include "models/settings/decoder_config.h"
#include "models/settings/generation_config.h"
#include "models/settings/generation_in_config.h"
#include "models/settings/sentence_files.h"
#include "models/settings/text_config.h"
#include "models/settings/timm_config.h"
#include "models/settings/vision_config.h"

namespace terminus::models::settings {

std::vector<const Table*> AllTables() {
  std::vector<const Table*> tables = {&kCommonConfig,
                                      &kBertConfig,
                                      &kClipConfig,
                                      &kClipTextConfig,
                                      &kClipTextModelConfig,
                                      &kClipVisionConfig,
                                      &kClipVisionModelConfig,
                                      &kSiglipConfig,
                                      &kSiglipTextConfig,
                                      &kSiglipTextModelConfig,
                                      &kSiglipVisionConfig,
                                      &kSiglipVisionModelConfig,
                                      &kVitConfig,
                                      &kDinov2Config,
                                      &kResNetConfig,
                                      &kTimmConfig,
                                      &kTimmPretrainedConfig,
                                      &kTimmModelArgs,
                                      &kGenerationOfEncoders,
                                      &kGenerationOfLanguageModels,
                                      &kLlamaConfig,
                                      &kMistralConfig,
                                      &kQwen2Config,
                                      &kQwen3Config,
                                      &kQwen3EncoderConfig,
                                      &kSmolLm3Config,
                                      &kRopeParameters,
                                      &kModule,
                                      &kTransformerModule,
                                      &kModelArguments,
                                      &kProcessorArguments,
                                      &kProcessingArguments,
                                      &kProcessingOfTexts,
                                      &kPoolingModule,
                                      &kNormalizeModule,
                                      &kDenseModule,
                                      &kSentenceTransformersConfig,
                                      &kGenerationConfig,
                                      &weights::kIndexKeys};
  for (const Table* table : tokenizer::AllTables()) {
    tables.push_back(table);
  }
  for (const Table* table : media::PreprocessorTables()) {
    tables.push_back(table);
  }
  return tables;
}

}  // namespace terminus::models::settings
