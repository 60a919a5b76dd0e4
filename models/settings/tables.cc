#include "models/settings/tables.h"

#include "models/settings/config_common.h"
#include "models/settings/decoder_config.h"
#include "models/settings/sentence_files.h"
#include "models/settings/text_config.h"

namespace terminus::models::settings {

std::vector<const Table*> AllTables() {
  return {&kCommonConfig,        &kBertConfig,        &kClipTextConfig,
          &kClipTextModelConfig, &kSiglipTextConfig,  &kSiglipTextModelConfig,
          &kLlamaConfig,         &kMistralConfig,     &kQwen2Config,
          &kQwen3Config,         &kRopeParameters,    &kModule,
          &kTransformerModule,   &kModelArguments,    &kProcessorArguments,
          &kProcessingArguments, &kProcessingOfTexts, &kPoolingModule,
          &kNormalizeModule,     &kDenseModule,       &kSentenceTransformersConfig};
}

}  // namespace terminus::models::settings
