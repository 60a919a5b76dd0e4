// Files that say how pictures are prepared, each key changed: what transformers and timm make of
// them (tests/golden/settings/make_preprocessor_mutations.py), or a refusal that names a key.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/temp_folder.h"
#include "common/media/decode.h"
#include "common/media/preprocessor_keys.h"
#include "common/settings/collector.h"
#include "models/bundle/preprocessor_file.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/settings/timm_config.h"
#include "models/vision/timm_config.h"

namespace terminus::models::bundle {
namespace {

using nlohmann::json;

// Of each number, over its magnitude where that is above 1.
constexpr double kTolerance = 2e-6;

const json& Golden() {
  static const json* golden = [] {
    std::ifstream file("tests/golden/settings/preprocessor_mutations.json");
    return new json(json::parse(file));
  }();
  return *golden;
}

media::Image Picture() {
  std::ifstream file("tests/golden/media/" + Golden()["picture"].get<std::string>(),
                     std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return media::DecodeImage(bytes, {}).value();
}

double WeightedMean(const std::vector<double>& values, int64_t step) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t turn = static_cast<int64_t>(i) * step % 1009;
    sum += values[i] * (static_cast<double>(turn - 504) / 504);
  }
  return sum / static_cast<double>(values.size());
}

// As summary() of the script.
std::vector<double> Summary(const media::ImagePreprocessor& preprocessor) {
  const media::Image image = preprocessor.Run(Picture());
  std::vector<double> values;
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const double rescaled = image.rgb[i] * static_cast<double>(preprocessor.rescale_factor());
    values.push_back((rescaled - preprocessor.mean()[i % 3]) / preprocessor.std()[i % 3]);
  }
  std::vector<double> summary = {static_cast<double>(image.height),
                                 static_cast<double>(image.width)};
  for (size_t i = 0; i < 8; ++i) {
    summary.push_back(values[i * 7919 % values.size()]);
  }
  summary.push_back(WeightedMean(values, 31));
  summary.push_back(WeightedMean(values, 577));
  return summary;
}

bool Equal(const std::vector<double>& found, const json& expected) {
  for (size_t i = 0; i < found.size(); ++i) {
    const double value = expected[i].get<double>();
    if (std::abs(found[i] - value) > kTolerance * std::max(1.0, std::abs(value))) {
      return false;
    }
  }
  return found.size() == expected.size();
}

class Replay {
 public:
  // `names`: of the keys and files of the case, of which a refusal must name one.
  void Add(const absl::StatusOr<media::ImagePreprocessor>& found, const json& expected,
           const json& names) {
    ++cases_;
    if (!found.ok()) {
      const std::string message(found.status().message());
      const auto items = names.items();
      EXPECT_TRUE(std::any_of(items.begin(), items.end(), [&](const auto& item) {
        return absl::StrContains(message, item.key());
      })) << message;
      return;
    }
    if (expected == "error") {
      ADD_FAILURE() << "served, although the reference fails";
      return;
    }
    const std::vector<double> summary = Summary(*found);
    EXPECT_TRUE(Equal(summary, expected)) << json(summary) << ", expected " << expected;
    ++served_;
  }

  double served() const { return static_cast<double>(served_) / cases_; }

 private:
  int cases_ = 0;
  int served_ = 0;
};

absl::StatusOr<media::ImagePreprocessor> Read(const json& files) {
  // Unknown keys and auto_map are warnings, which no case is about.
  const terminus::settings::Collector quiet;
  const base::TempFolder folder;
  for (const auto& [name, content] : files.items()) {
    checkpoint::WriteTestFile(folder.Path(name), content.dump());
  }
  return ReadPreprocessorFile(folder.path(), media::Conversion::kLikeTransformers);
}

// `change` over `base`: a null stays, unlike in a merge patch.
json Changed(json base, const json& change) {
  for (const auto& [key, value] : change.items()) {
    base[key] = value;
  }
  return base;
}

std::set<std::string> KeysOf(const terminus::settings::Table& table) {
  std::set<std::string> keys;
  for (const terminus::settings::Key* key : table.All()) {
    keys.emplace(key->name);
  }
  return keys;
}

TEST(PreprocessorMutationTest, DeclaresTheKeysThatTheReferenceKnows) {
  for (const auto& [name, golden] : Golden()["classes"].items()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(KeysOf(*media::FindImageProcessor(name)->table),
              golden["keys"].get<std::set<std::string>>());
  }
  EXPECT_EQ(media::ImageProcessors().size(), Golden()["classes"].size());
  EXPECT_EQ(KeysOf(media::kProcessorConfig),
            Golden()["processor_keys"].get<std::set<std::string>>());
  EXPECT_EQ(KeysOf(settings::kTimmPretrainedConfig),
            Golden()["timm"]["keys"].get<std::set<std::string>>());
}

TEST(PreprocessorMutationTest, ClassesEqualTransformersOrRefuse) {
  for (const auto& [name, golden] : Golden()["classes"].items()) {
    Replay replay;
    for (const json& one : golden["cases"]) {
      json config = Changed(golden["base"], one[0]);
      if (one[0].contains("feature_extractor_type") && !one[0].contains("image_processor_type")) {
        config.erase("image_processor_type");
      }
      SCOPED_TRACE(absl::StrCat(name, " ", one[0].dump()));
      replay.Add(Read({{"preprocessor_config.json", config}}), one[1], config);
    }
    EXPECT_GT(replay.served(), 0.7) << name;
  }
}

TEST(PreprocessorMutationTest, FoldersEqualTransformersOrRefuse) {
  Replay replay;
  for (const json& one : Golden()["folders"]) {
    SCOPED_TRACE(one[0].dump());
    replay.Add(Read(one[0]), one[1], one[0]);
  }
  EXPECT_GT(replay.served(), 0.7);
}

absl::StatusOr<media::ImagePreprocessor> ReadTimm(const json& config) {
  const base::TempFolder folder;
  checkpoint::WriteTestFile(folder.Path("config.json"), config.dump());
  const auto timm = vision::ReadTimmConfig(folder.path());
  if (!timm.ok()) {
    return timm.status();
  }
  return media::ImagePreprocessor(timm->preprocessor, media::Conversion::kOverWhite);
}

TEST(PreprocessorMutationTest, TimmFoldersEqualTimmOrAreRefused) {
  const json& golden = Golden()["timm"];
  Replay replay;
  for (const json& one : golden["cases"]) {
    SCOPED_TRACE(one[0].dump());
    json config = golden["base"];
    config["pretrained_cfg"] = Changed(config["pretrained_cfg"], one[0]);
    replay.Add(ReadTimm(config), one[1], one[0]);
    // The form of old: the same keys without the object around them.
    replay.Add(
        ReadTimm(Changed(config["pretrained_cfg"], {{"architecture", config["architecture"]}})),
        one[2], one[0]);
  }
  EXPECT_GT(replay.served(), 0.7);
}

}  // namespace
}  // namespace terminus::models::bundle
