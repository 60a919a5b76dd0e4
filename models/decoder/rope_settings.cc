#include "models/decoder/rope_settings.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/settings/refuse_null.h"
#include "models/decoder/bounded_number.h"

namespace terminus::models::decoder {
namespace {

using settings::JsonFile;
using Scaling = RopeConfig::Scaling;

constexpr char kOriginal[] = "original_max_position_embeddings";
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

// Reads the parameters of one rope type.
class Reader {
 public:
  // `file` holds `section`. All must outlive the reader.
  Reader(JsonFile& file, JsonFile& section, int head_dim, RopeSettings& settings)
      : file_(file), section_(section), head_dim_(head_dim), settings_(settings) {}

  void Read(const std::string& type);

 private:
  RopeConfig& rope() { return settings_.rope; }

  void ReadLlama3();
  void ReadYarn();
  void ReadLongRope();
  void ReadOriginal(double min);
  // "factor", or the ratio of the two contexts where it is absent.
  double ReadFactor();
  std::vector<double> ReadFactors(const std::string& key);

  JsonFile& file_;
  JsonFile& section_;
  int head_dim_;
  RopeSettings& settings_;
};

void Reader::Read(const std::string& type) {
  if (type == "llama3") {
    ReadLlama3();
  } else if (type == "yarn") {
    ReadYarn();
  } else if (type == "longrope") {
    ReadLongRope();
  } else if (type == "linear") {
    rope().scaling = Scaling::kLinear;
    rope().factor = Needed(section_, "factor", 1, rope().factor);
  } else if (type == "dynamic") {
    // Up to the file's longest context, beyond which no text goes, its angles are the default's.
    Needed(section_, "factor", 1, rope().factor);
  } else if (type != "default") {
    section_.Fault("rope_type",
                   absl::StrCat("\"", type, "\", supported are \"default\", \"dynamic\", ",
                                "\"linear\", \"llama3\", \"longrope\" and \"yarn\""));
  }
}

// A value beside the object counts more than the one inside it.
void Reader::ReadOriginal(double min) {
  const double inside =
      BoundedNumber(section_, kOriginal, min, kMaxPositions, settings_.max_positions);
  rope().original_max_positions = BoundedNumber(file_, kOriginal, min, kMaxPositions, inside);
}

double Reader::ReadFactor() {
  return BoundedNumber(section_, "factor", 1e-6, kMaxFactor,
                       settings_.max_positions / rope().original_max_positions);
}

void Reader::ReadLlama3() {
  rope().scaling = Scaling::kLlama3;
  rope().factor = Needed(section_, "factor", 1, rope().factor);
  rope().low_freq_factor = Needed(section_, "low_freq_factor", 1e-6, rope().low_freq_factor);
  rope().high_freq_factor = Needed(section_, "high_freq_factor", 1e-6, rope().high_freq_factor);
  ReadOriginal(1);
  if (rope().high_freq_factor <= rope().low_freq_factor) {
    section_.Fault("high_freq_factor", "expected more than low_freq_factor");
  }
}

// By how much YaRN multiplies cosines and sines: its paper's suggestion.
double YarnFactor(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

void Reader::ReadYarn() {
  rope().scaling = Scaling::kYarn;
  ReadOriginal(1);
  if (section_.json().find("factor") == section_.json().end()) {
    section_.Fault("factor", "missing");
  }
  rope().factor = ReadFactor();
  terminus::settings::RefuseNull(section_, {"truncate"});
  rope().truncate = section_.BoolOr("truncate", true);
  // Zero stands for the default.
  const auto or_default = [&](const std::string& key, double otherwise) {
    const double value = BoundedNumber(section_, key, 0, kMaxFactor, otherwise);
    return value == 0 ? otherwise : value;
  };
  rope().beta_fast = or_default("beta_fast", rope().beta_fast);
  rope().beta_slow = or_default("beta_slow", rope().beta_slow);
  const double mscale = BoundedNumber(section_, "mscale", 0, kMaxFactor, 0);
  const double all = BoundedNumber(section_, "mscale_all_dim", 0, kMaxFactor, 0);
  const double suggested = mscale != 0 && all != 0
                               ? YarnFactor(rope().factor, mscale) / YarnFactor(rope().factor, all)
                               : YarnFactor(rope().factor, 1);
  rope().attention_factor = BoundedNumber(section_, "attention_factor", 0, kMaxFactor, suggested);
  if (rope().theta <= 1) {
    section_.Fault("rope_theta", "expected more than 1 for \"yarn\"");
  }
  if (rope().beta_fast < rope().beta_slow) {
    section_.Fault("beta_fast", "expected at least beta_slow");
  }
}

std::vector<double> Reader::ReadFactors(const std::string& key) {
  const size_t count = static_cast<size_t>(head_dim_ / 2);
  if (!section_.Has(key)) {
    section_.Fault(key, "missing");
    return std::vector<double>(count, 1);
  }
  std::vector<double> factors = section_.NumbersOr(key, std::vector<double>(count, 1));
  for (double& factor : factors) {
    if (!(factor >= 1e-6 && factor <= kMaxFactor)) {
      section_.Fault(key, absl::StrCat(factor, ", expected numbers from 1e-6 to ", kMaxFactor));
      factor = 1;
    }
  }
  return factors;
}

void Reader::ReadLongRope() {
  rope().scaling = Scaling::kLongRope;
  ReadOriginal(2);
  rope().short_factors = ReadFactors("short_factor");
  const double factor = ReadFactor();
  const double suggested =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(rope().original_max_positions));
  rope().attention_factor = BoundedNumber(section_, "attention_factor", 0, kMaxFactor, suggested);
  // A longer context turns all its tokens by long_factor, so that keys in the cache would be wrong.
  if (rope().original_max_positions < settings_.max_positions) {
    settings_.max_positions = static_cast<int>(rope().original_max_positions);
    settings::Warn(absl::StrCat(file_.path(), ": rope type \"longrope\": contexts end at ",
                                settings_.max_positions, " tokens, ", kOriginal,
                                "; longer ones are not supported"));
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

RopeSettings ReadRope(JsonFile& file, int head_dim, int max_positions, double theta) {
  RopeSettings settings{.rope = {}, .max_positions = max_positions};
  const std::string name = SectionName(file);
  JsonFile section = file.Object(name);
  settings.rope.theta = Theta(section, Theta(file, theta));
  Reader(file, section, head_dim, settings)
      .Read(section.StringOr("rope_type", section.StringOr("type", "default")));
  file.Adopt(name, section);
  return settings;
}

}  // namespace terminus::models::decoder
