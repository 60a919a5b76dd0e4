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
using testing::HasSubstr;
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

// A family whose layers look like Llama's and are not: its name is what is wrong, whatever else its
// file has.
TEST(PublishedConfigs, OtherFamiliesAreRefusedByName) {
  const json factors = std::vector<double>(48, 1.05);
  const json phi3 = {
      {"architectures", {"Phi3ForCausalLM"}},
      {"auto_map", {{"AutoConfig", "configuration_phi3.Phi3Config"}}},
      {"hidden_size", 3072},
      {"intermediate_size", 8192},
      {"max_position_embeddings", 131072},
      {"model_type", "phi3"},
      {"num_attention_heads", 32},
      {"num_hidden_layers", 32},
      {"original_max_position_embeddings", 4096},
      {"rope_scaling", {{"long_factor", factors}, {"short_factor", factors}, {"type", "longrope"}}},
      {"sliding_window", 262144},
      {"vocab_size", 32064}};
  const base::TempFolder folder;
  checkpoint::WriteTestFile(folder.path() + "/config.json", phi3.dump());
  for (const absl::Status& status :
       {ReadConfigs(folder.path(), phi3), decoder::ReadLlamaConfig(folder.path()).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("model_type: \"phi3\""));
  }
}

}  // namespace
}  // namespace terminus::models::bundle
