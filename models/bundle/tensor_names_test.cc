// Checkpoints whose tensors have other names than the models' own, against transformers.
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/decoder/load.h"
#include "models/text/text_encoder.h"
#include "models/vision/golden_images.h"
#include "models/vision/vision_encoder.h"

namespace terminus::models::bundle {
namespace {

using checkpoint::ReadGolden;
using nlohmann::json;

std::string Renamed(std::string name, const json& changes) {
  for (const json& change : changes) {
    const auto text = change[1].get<std::string>();
    if (change[0] == "add") {
      name = text + name;
    } else if (change[0] == "drop") {
      name = std::string(absl::StripPrefix(name, text));
    } else {
      name = absl::StrReplaceAll(name, {{text, change[2].get<std::string>()}});
    }
  }
  return name;
}

// The tensors of a golden, each with the values that its own name has.
json RenamedTensors(const json& golden, const json& changes) {
  json tensors = json::array();
  for (const json& tensor : golden["tensors"]) {
    tensors.push_back({Renamed(tensor[0], changes), tensor[1], tensor[0]});
  }
  return tensors;
}

// Loads every model of a golden's folder; the vectors of its encoders, or the first error.
absl::StatusOr<std::vector<float>> VectorsOf(const json& golden, const std::string& folder) {
  std::vector<float> vectors;
  if (golden.contains("prompts")) {
    const auto lm = decoder::LoadCausalLm(folder, at::kCPU, {.threads = 1, .kv_blocks = 1});
    if (!lm.ok()) return lm.status();
    return vectors;
  }
  if (golden.contains("token_ids")) {
    const auto encoder = text::TextEncoder::Load(folder);
    if (!encoder.ok()) return encoder.status();
    const auto made =
        (*encoder)->Encode({golden["token_ids"].get<std::vector<std::vector<int32_t>>>()});
    vectors.insert(vectors.end(), made->values.begin(), made->values.end());
  }
  if (golden.contains("height")) {
    auto encoder = vision::VisionEncoder::Load(folder, vision::GoldenPreprocessor(golden));
    if (!encoder.ok()) return encoder.status();
    const auto made = (*encoder)->Encode(vision::GoldenImages(golden, 0, 1));
    vectors.insert(vectors.end(), made->values.begin(), made->values.end());
  }
  return vectors;
}

TEST(TensorNamesTest, AreThoseThatTransformersKnows) {
  const json names = checkpoint::ReadWeightGolden("names");
  std::set<std::string> families;
  for (const json& test_case : names["cases"]) {
    SCOPED_TRACE(test_case.dump());
    json golden = ReadGolden(test_case["golden"]);
    families.insert(golden["config"]["model_type"]);
    const base::TempFolder folder;
    ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
    const auto expected = VectorsOf(golden, folder.path());
    ASSERT_TRUE(expected.ok()) << expected.status();
    golden["tensors"] = RenamedTensors(golden, test_case["changes"]);
    ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
    const auto found = VectorsOf(golden, folder.path());
    if (test_case["same"].get<bool>()) {
      ASSERT_TRUE(found.ok()) << found.status();
      // Other names move the tensors in the file, and products of mapped weights may round by where
      // they lie.
      EXPECT_THAT(*found, testing::Pointwise(testing::FloatNear(1e-5f), *expected));
    } else {
      EXPECT_FALSE(found.ok()) << "transformers makes up a tensor by chance";
    }
  }
  EXPECT_GE(families.size(), 11u);
}

}  // namespace
}  // namespace terminus::models::bundle
