#include "models/decoder/rope.h"

#include <algorithm>
#include <cmath>

namespace terminus::models::decoder {
namespace {

// Low frequencies are divided by the factor, high ones stay, those between are interpolated.
double Llama3Frequency(const RopeConfig& rope, double frequency) {
  // Turns within the context that the model was first trained for.
  const double turns = rope.original_max_positions * frequency / (2 * M_PI);
  const double kept =
      (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  const double share = std::clamp(kept, 0.0, 1.0);
  return frequency * (share + (1 - share) / rope.factor);
}

// The pair, not always a whole one, that makes `turns` within the context of the first training.
double PairWithTurns(const RopeConfig& rope, int head_dim, double turns) {
  return head_dim * std::log(rope.original_max_positions / (turns * 2 * M_PI)) /
         (2 * std::log(rope.theta));
}

// Pairs between which YaRN interpolates.
struct Ramp {
  double first;
  double last;
};

Ramp YarnRamp(const RopeConfig& rope, int head_dim) {
  double first = PairWithTurns(rope, head_dim, rope.beta_fast);
  double last = PairWithTurns(rope, head_dim, rope.beta_slow);
  if (rope.truncate) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, head_dim - 1.0);
  // The reference's step where the two are the same.
  return {.first = first, .last = first == last ? last + 0.001 : last};
}

double YarnFrequency(const RopeConfig& rope, const Ramp& ramp, int pair, double frequency) {
  const double share = std::clamp((pair - ramp.first) / (ramp.last - ramp.first), 0.0, 1.0);
  return frequency * (1 - share) + frequency / rope.factor * share;
}

}  // namespace

std::vector<float> RopeFrequencies(const RopeConfig& rope, int head_dim) {
  using Scaling = RopeConfig::Scaling;
  const Ramp ramp = rope.scaling == Scaling::kYarn ? YarnRamp(rope, head_dim) : Ramp{};
  std::vector<float> frequencies;
  for (int i = 0; i < head_dim / 2; ++i) {
    double frequency = std::pow(rope.theta, -2.0 * i / head_dim);
    switch (rope.scaling) {
      case Scaling::kDefault:
        break;
      case Scaling::kLinear:
        frequency /= rope.factor;
        break;
      case Scaling::kLlama3:
        frequency = Llama3Frequency(rope, frequency);
        break;
      case Scaling::kYarn:
        frequency = YarnFrequency(rope, ramp, i, frequency);
        break;
      case Scaling::kLongRope:
        frequency /= rope.short_factors[i];
        break;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

}  // namespace terminus::models::decoder
