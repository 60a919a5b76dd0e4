#pragma once

#include <vector>

namespace terminus::models::decoder {

// Angles of rotary positions: pair i of a head turns by position · frequency[i], with its cosine
// and its sine multiplied by `attention_factor`.
struct RopeConfig {
  enum class Scaling {
    kDefault,
    // All frequencies are divided by `factor`.
    kLinear,
    // Llama 3.1's: low frequencies are divided by `factor`, those between are interpolated.
    kLlama3,
    // "YaRN: Efficient Context Window Extension of Large Language Models" (Peng et al., 2023).
    kYarn,
    // "LongRoPE" (Ding et al., 2024) up to the context of the first training: each frequency is
    // divided by its own of `short_factors`.
    kLongRope,
  };

  double theta = 10000;
  Scaling scaling = Scaling::kDefault;
  double factor = 1;
  double low_freq_factor = 1;   // kLlama3
  double high_freq_factor = 4;  // kLlama3
  double beta_fast = 32;        // kYarn: pairs that turn more often keep their frequency.
  double beta_slow = 1;         // kYarn: pairs that turn less often are divided by `factor`.
  bool truncate = true;         // kYarn: the two bounds are whole pairs.
  // kLlama3, kYarn: longest context of the first training, in tokens.
  double original_max_positions = 8192;
  std::vector<double> short_factors;  // kLongRope: [head_dim / 2]
  double attention_factor = 1;
};

// One for each pair of a head's elements: [head_dim / 2].
std::vector<float> RopeFrequencies(const RopeConfig& rope, int head_dim);

}  // namespace terminus::models::decoder
