#include "models/decoder/rope.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "models/decoder/bounded_number.h"

namespace terminus::models::decoder {
namespace {

using settings::JsonFile;

constexpr double kMaxFactor = 1e6;
constexpr double kMaxPositions = 1e9;

double Theta(JsonFile& file, double otherwise) {
  return BoundedNumber(file, "rope_theta", 1, 1e30, otherwise);
}

// A number that the rope type needs: transformers has no default for it.
double Needed(JsonFile& section, const std::string& key, double min, double otherwise) {
  if (!section.Has(key)) {
    section.Fault(key, "missing");
    return otherwise;
  }
  return BoundedNumber(section, key, min, kMaxFactor, otherwise);
}

void ReadLlama3(JsonFile& file, int max_positions, JsonFile& section, RopeConfig* rope) {
  constexpr char kOriginal[] = "original_max_position_embeddings";
  rope->scaling = RopeConfig::Scaling::kLlama3;
  rope->factor = Needed(section, "factor", 1, rope->factor);
  rope->low_freq_factor = Needed(section, "low_freq_factor", 1e-6, rope->low_freq_factor);
  rope->high_freq_factor = Needed(section, "high_freq_factor", 1e-6, rope->high_freq_factor);
  // A value beside the object counts more than the one inside it.
  const double inside = BoundedNumber(section, kOriginal, 1, kMaxPositions, max_positions);
  rope->original_max_positions = BoundedNumber(file, kOriginal, 1, kMaxPositions, inside);
  if (rope->high_freq_factor <= rope->low_freq_factor) {
    section.Fault("high_freq_factor", "expected more than low_freq_factor");
  }
}

// The object that counts: "rope_scaling", the older name, unless it is empty. Nothing of the other
// one is looked at then.
std::string SectionName(const JsonFile& file) {
  const nlohmann::json* scaling = file.Find("rope_scaling");
  const bool counts = scaling != nullptr && !(scaling->is_object() && scaling->empty());
  return counts ? "rope_scaling" : "rope_parameters";
}

}  // namespace

RopeConfig ReadRope(JsonFile& file, int max_positions) {
  RopeConfig rope;
  const std::string name = SectionName(file);
  JsonFile section = file.Object(name);
  rope.theta = Theta(section, Theta(file, rope.theta));
  const std::string type = section.StringOr("rope_type", section.StringOr("type", "default"));
  if (type == "llama3") {
    ReadLlama3(file, max_positions, section, &rope);
  } else if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
    rope.factor = Needed(section, "factor", 1, rope.factor);
  } else if (type == "dynamic") {
    // Up to the file's longest context, beyond which no text goes, its angles are the default's.
    Needed(section, "factor", 1, rope.factor);
  } else if (type != "default") {
    section.Fault("rope_type",
                  absl::StrCat("\"", type, "\", supported are \"default\", \"dynamic\", ",
                               "\"linear\" and \"llama3\""));
  }
  file.Adopt(name, section);
  return rope;
}

std::vector<float> RopeFrequencies(const RopeConfig& rope, int head_dim) {
  std::vector<float> frequencies;
  for (int i = 0; i < head_dim / 2; ++i) {
    double frequency = std::pow(rope.theta, -2.0 * i / head_dim);
    if (rope.scaling == RopeConfig::Scaling::kLinear) {
      frequency /= rope.factor;
    }
    if (rope.scaling == RopeConfig::Scaling::kLlama3) {
      // Turns within the context that the model was first trained for.
      const double turns = rope.original_max_positions * frequency / (2 * M_PI);
      const double kept =
          (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      const double share = std::min(1.0, std::max(0.0, kept));
      frequency *= share + (1 - share) / rope.factor;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

}  // namespace terminus::models::decoder
