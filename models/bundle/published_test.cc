// Config files as published checkpoints have them: none may become refused, nor have a key that
// nobody declares.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/catalog/catalog.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/decoder/llama_config.h"
#include "models/settings/config_common.h"
#include "models/text/families.h"
#include "models/text/sentence_config.h"
#include "models/vision/families.h"

namespace terminus::models::bundle {
namespace {

using nlohmann::json;
using testing::IsEmpty;

constexpr char kFolder[] = "tests/golden/settings/published";
constexpr size_t kMaxBytes = 1 << 20;

// What the readers of a folder's config files say.
absl::Status ReadConfigs(const std::string& folder, const json& config) {
  const bool has_modules = std::filesystem::exists(folder + "/modules.json");
  const auto family = catalog::FindFamily(config, has_modules);
  if (!family.ok()) {
    return family.status();
  }
  absl::Status status;
  if ((*family)->text) {
    const auto sentence = text::ReadSentenceConfig(folder);
    status.Update(sentence.status());
    if (sentence.ok()) {
      status.Update(text::ReadTextPlan(*sentence).status());
    }
  }
  if ((*family)->image) {
    status.Update(vision::ReadVisionPlan(folder).status());
  }
  if ((*family)->generate) {
    status.Update(decoder::ReadLlamaConfig(folder).status());
  }
  return status;
}

TEST(PublishedConfigs, AreAcceptedWithoutAWarning) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    paths.push_back(entry.path().string());
  }
  ASSERT_GT(paths.size(), 40u);
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    const auto text = base::ReadFile(path, kMaxBytes);
    ASSERT_TRUE(text.ok()) << text.status();
    const json files = json::parse(*text);
    const base::TempFolder folder;
    for (const auto& [name, content] : files.items()) {
      checkpoint::WriteTestFile(folder.path() + "/" + name, content.dump());
    }
    const terminus::settings::Collector collector;
    EXPECT_EQ(ReadConfigs(folder.path(), files["config.json"]), absl::OkStatus());
    EXPECT_THAT(collector.warnings(), IsEmpty());
  }
}

}  // namespace
}  // namespace terminus::models::bundle
