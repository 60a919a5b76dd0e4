// Published checkpoints with pictures: no reader refuses their files, nor finds a key that it does
// not know (tests/golden/settings/published, a file a checkpoint).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "models/bundle/preprocessor_file.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/vision/families.h"

namespace terminus::models::bundle {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

struct Published {
  std::string name;
  json files;
};

std::vector<Published> WithPictures() {
  std::vector<Published> found;
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/settings/published")) {
    std::ifstream file(entry.path());
    json files = json::parse(file);
    const bool timm = files["config.json"].contains("architecture");
    if (timm || files.contains("preprocessor_config.json")) {
      found.push_back({.name = entry.path().stem().string(), .files = std::move(files)});
    }
  }
  return found;
}

TEST(PublishedPicturesTest, ReadersTakeThemWithoutAWarning) {
  const std::vector<Published> all = WithPictures();
  EXPECT_GE(all.size(), 26);
  for (const Published& published : all) {
    SCOPED_TRACE(published.name);
    const base::TempFolder folder;
    for (const auto& [name, content] : published.files.items()) {
      checkpoint::WriteTestFile(folder.Path(name), content.dump());
    }
    const terminus::settings::Collector collector;
    const auto plan = vision::ReadVisionPlan(folder.path());
    ASSERT_TRUE(plan.ok()) << plan.status();
    const auto preprocessor =
        ReadPreprocessorFile(folder.path(), media::Conversion::kLikeTransformers, plan->timm);
    ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
    EXPECT_GE(preprocessor->width(), 224);
    EXPECT_THAT(collector.warnings(), IsEmpty());
  }
}

}  // namespace
}  // namespace terminus::models::bundle
