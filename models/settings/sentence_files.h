#pragma once

#include "models/settings/config_common.h"

// Declared keys of the files that sentence-transformers lays around an encoder.
namespace terminus::models::settings {

// Each element of modules.json.
extern const Table kModule;

// sentence_bert_config.json: the Transformer module's own file, and objects inside it.
extern const Table kTransformerModule;
extern const Table kModelArguments;
extern const Table kProcessorArguments;
extern const Table kProcessingArguments;
extern const Table kProcessingOfTexts;

// config.json of the other modules.
extern const Table kPoolingModule;
extern const Table kNormalizeModule;
extern const Table kDenseModule;

extern const Table kSentenceTransformersConfig;

}  // namespace terminus::models::settings
