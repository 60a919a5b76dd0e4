#pragma once

#include "models/decoder/rope.h"
#include "models/settings/config_common.h"

namespace terminus::models::decoder {

// The settings of rotary positions in a config.json.
struct RopeSettings {
  RopeConfig rope;
  // Tokens of the longest context that these angles hold for. Below the file's
  // "max_position_embeddings" where longer contexts would turn by other angles.
  int max_positions = 0;
};

// Reads "rope_scaling", "rope_parameters" and the keys beside them with the precedence that
// transformers gives them. `max_positions` is the file's longest context, `theta` the base of the
// angles where the file has none. Faults are noted in `file`. A context that ends before
// `max_positions` is a warning.
RopeSettings ReadRope(settings::JsonFile& file, int head_dim, int max_positions, double theta);

}  // namespace terminus::models::decoder
