// The goldens of text_towers_test.cc on a GPU in bfloat16.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/cuda/library.h"
#include "models/text/text_encoder.h"

namespace terminus::models::text {
namespace {

class TextGpuTest : public testing::TestWithParam<const char*> {};

TEST_P(TextGpuTest, EqualsTransformersAloneAndTogether) {
  const auto device = cuda::FindDevice(0);
  if (!device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  const nlohmann::json golden = checkpoint::ReadGolden(GetParam());
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = TextEncoder::Load(folder.path(), {.device = at::kCUDA, .dtype = at::kBFloat16});
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto ids = golden["token_ids"].get<std::vector<std::vector<int32_t>>>();
  const auto together = (*encoder)->Encode({ids});
  ASSERT_TRUE(together.ok()) << together.status();
  const auto count = static_cast<int64_t>(ids.size());
  for (int64_t i = 0; i < count; ++i) {
    const at::Tensor expected = at::tensor(golden["vectors"][i].get<std::vector<float>>());
    const auto alone = (*encoder)->Encode({{ids[i]}});
    ASSERT_TRUE(alone.ok()) << alone.status();
    const at::Tensor row = at::tensor(together->values).view({count, -1})[i];
    EXPECT_GE(at::cosine_similarity(row, expected, 0).item<float>(), 0.999) << "text " << i;
    EXPECT_GE(at::cosine_similarity(at::tensor(alone->values), row, 0).item<float>(), 0.9999)
        << "text " << i;
  }
}

// The golden with heads of 64, as graphs want them: one head of BERT's, two of CLIP's wider tower.
nlohmann::json WithHeadsOf64(const std::string& name) {
  nlohmann::json golden = checkpoint::ReadGolden(name);
  if (name == "bert_mean") {
    golden["config"]["num_attention_heads"] = 1;
    return golden;
  }
  constexpr int kWidth = 128;
  nlohmann::json& config = golden["config"]["text_config"];
  const int narrow = config["hidden_size"];
  config["hidden_size"] = kWidth;
  for (nlohmann::json& tensor : golden["tensors"]) {
    if (tensor[0].get<std::string>().rfind("text_", 0) == 0) {
      for (nlohmann::json& size : tensor[1]) {
        size = size == narrow ? nlohmann::json(kWidth) : size;
      }
    }
  }
  return golden;
}

// The cosine of each text's vectors.
std::vector<float> Cosines(const executor::Embeddings& a, const executor::Embeddings& b) {
  const at::Tensor cosines = at::cosine_similarity(at::tensor(a.values).view({a.count, -1}),
                                                   at::tensor(b.values).view({b.count, -1}));
  const auto* values = cosines.const_data_ptr<float>();
  return {values, values + a.count};
}

class TextGraphsTest : public testing::TestWithParam<const char*> {};

TEST_P(TextGraphsTest, RecordedPassesAreOfTheTextsAtHand) {
  const auto device = cuda::FindDevice(0);
  if (!device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  const nlohmann::json golden = WithHeadsOf64(GetParam());
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto on_cpu = TextEncoder::Load(folder.path());
  auto on_gpu = TextEncoder::Load(folder.path(), {.device = at::kCUDA, .dtype = at::kBFloat16});
  ASSERT_TRUE(on_cpu.ok()) << on_cpu.status();
  ASSERT_TRUE(on_gpu.ok()) << on_gpu.status();
  const auto ids = golden["token_ids"].get<std::vector<std::vector<int32_t>>>();
  // Of one shape when filled up: some again and again, others in another order, fewer of them, and
  // texts of one length.
  const executor::TextBatch all{ids};
  const executor::TextBatch turned{{ids.rbegin(), ids.rend()}};
  const executor::TextBatch fewer{{ids[1], ids[4], ids[0]}};
  const executor::TextBatch equal{{ids[1], ids[1], ids[1], ids[1]}};
  for (int turn = 0; turn < 4; ++turn) {
    for (const executor::TextBatch* batch : {&all, &turned, &fewer, &equal, &all}) {
      const auto got = (*on_gpu)->Encode(*batch);
      const auto expected = (*on_cpu)->Encode(*batch);
      ASSERT_TRUE(got.ok()) << got.status();
      ASSERT_TRUE(expected.ok()) << expected.status();
      EXPECT_THAT(Cosines(*got, *expected), testing::Each(testing::Ge(0.999f))) << "turn " << turn;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TextGraphsTest, testing::Values("clip", "bert_mean"));

INSTANTIATE_TEST_SUITE_P(Models, TextGpuTest,
                         testing::Values("clip", "clip_legacy", "clip_text", "siglip",
                                         "siglip_text", "qwen3", "qwen3_bidirectional", "bge",
                                         "bert_mean"));

}  // namespace
}  // namespace terminus::models::text
