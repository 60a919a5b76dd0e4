#pragma once

#include <vector>

#include "models/settings/config_common.h"

namespace terminus::models::decoder {

// Angles of rotary positions: pair i of a head turns by position · frequency[i].
struct RopeConfig {
  enum class Scaling {
    kDefault,
    // All frequencies are divided by `factor`.
    kLinear,
    // Llama 3.1's: low frequencies are divided by `factor`, those between are interpolated.
    kLlama3,
  };

  double theta = 10000;
  Scaling scaling = Scaling::kDefault;
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_max_positions = 8192;
};

// Reads "rope_scaling", "rope_parameters" and the keys beside them with the precedence that
// transformers gives them. `max_positions` is the file's longest context. Faults are noted in
// `file`.
RopeConfig ReadRope(settings::JsonFile& file, int max_positions);

// One for each pair of a head's elements: [head_dim / 2].
std::vector<float> RopeFrequencies(const RopeConfig& rope, int head_dim);

}  // namespace terminus::models::decoder
