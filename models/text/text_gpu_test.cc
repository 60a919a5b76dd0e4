// The goldens of text_towers_test.cc on a GPU in bfloat16.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
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

INSTANTIATE_TEST_SUITE_P(Models, TextGpuTest,
                         testing::Values("clip", "clip_legacy", "siglip", "qwen3", "bge",
                                         "bert_mean"));

}  // namespace
}  // namespace terminus::models::text
