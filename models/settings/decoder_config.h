#pragma once

#include "models/settings/config_common.h"

// Declared keys of the config.json of transformers' decoder-only models, the ones whose layers
// encode texts included.
namespace terminus::models::settings {

extern const Table kLlamaConfig;
extern const Table kMistralConfig;
extern const Table kQwen2Config;
extern const Table kQwen3Config;
extern const Table kSmolLm3Config;
// For Qwen3 as an encoder: the head is never computed.
extern const Table kQwen3EncoderConfig;

// The objects "rope_parameters" and "rope_scaling" of all of them.
extern const Table kRopeParameters;

}  // namespace terminus::models::settings
