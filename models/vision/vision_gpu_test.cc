// The goldens of vision_towers_test.cc on a GPU, in bfloat16 and as CUDA graphs.
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/cuda/library.h"
#include "models/vision/golden_images.h"
#include "models/vision/vision_encoder.h"

namespace terminus::models::vision {
namespace {

class VisionGpuTest : public testing::TestWithParam<const char*> {};

TEST_P(VisionGpuTest, EqualsTransformersAloneAndTogether) {
  const auto device = cuda::FindDevice(0);
  if (!device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  const nlohmann::json golden = checkpoint::ReadGolden(GetParam());
  const nlohmann::json& vectors = golden.value("image_vectors", golden["vectors"]);
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = VisionEncoder::Load(folder.path(), GoldenPreprocessor(golden),
                                     {.device = at::kCUDA, .dtype = at::kBFloat16});
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  ASSERT_TRUE((*encoder)->Prepare(/*max_batch=*/2).ok());
  const auto together = (*encoder)->Encode(GoldenImages(golden, 0, 3));
  ASSERT_TRUE(together.ok()) << together.status();
  for (int i = 0; i < 3; ++i) {
    const at::Tensor expected = at::tensor(vectors[i].get<std::vector<float>>());
    const auto alone = (*encoder)->Encode(GoldenImages(golden, i, 1));
    ASSERT_TRUE(alone.ok()) << alone.status();
    const at::Tensor row = at::tensor(together->values).view({3, -1})[i];
    EXPECT_GE(at::cosine_similarity(row, expected, 0).item<float>(), 0.999) << "image " << i;
    EXPECT_GE(at::cosine_similarity(at::tensor(alone->values), row, 0).item<float>(), 0.9999)
        << "image " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, VisionGpuTest,
                         testing::Values("clip", "clip_vision", "siglip", "siglip_vision", "vit",
                                         "vit_head", "dinov2", "dinov2_giant", "resnet",
                                         "resnet_head", "resnet_basic"));

}  // namespace
}  // namespace terminus::models::vision
