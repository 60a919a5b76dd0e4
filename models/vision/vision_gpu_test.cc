// The goldens of vision_towers_test.cc and of EfficientNet-Lite on a GPU as CUDA graphs, in
// bfloat16 and in float32.
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/cuda/library.h"
#include "models/vision/golden_images.h"
#include "models/vision/vision_encoder.h"

namespace terminus::models::vision {
namespace {

using nlohmann::json;

// The golden's vectors, an image each. Of EfficientNet-Lite's features the first are kept.
const json& VectorsOf(const json& golden) {
  for (const char* key : {"image_vectors", "features"}) {
    if (golden.contains(key)) {
      return golden[key];
    }
  }
  return golden["vectors"];
}

float Cosine(const at::Tensor& a, const at::Tensor& b) {
  return at::cosine_similarity(a, b, 0).item<float>();
}

// In bfloat16 rounding grows with depth: the deepest EfficientNets, with made-up weights, are left
// at a cosine of 0.99. That they are right otherwise, their float32 says.
float LeastCosine(const std::string& name, at::ScalarType dtype) {
  if (dtype == at::kFloat) {
    return 0.99999f;
  }
  const bool deep = name.substr(0, name.size() - 1) == "tf_efficientnet_lite" && name.back() > '0';
  return deep ? 0.98f : 0.999f;
}

class VisionGpuTest : public testing::TestWithParam<const char*> {
 protected:
  void EqualsTheReference(at::ScalarType dtype) const;
};

void VisionGpuTest::EqualsTheReference(at::ScalarType dtype) const {
  const json golden = checkpoint::ReadGolden(GetParam());
  const json& vectors = VectorsOf(golden);
  const int images = static_cast<int>(vectors.size());
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = VisionEncoder::Load(folder.path(), GoldenPreprocessor(golden),
                                     {.device = at::kCUDA, .dtype = dtype});
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  ASSERT_TRUE((*encoder)->Prepare(/*max_batch=*/2).ok());
  const auto together = (*encoder)->Encode(GoldenImages(golden, 0, images));
  ASSERT_TRUE(together.ok()) << together.status();
  for (int i = 0; i < images; ++i) {
    const at::Tensor expected = at::tensor(vectors[i].get<std::vector<float>>());
    const auto alone = (*encoder)->Encode(GoldenImages(golden, i, 1));
    ASSERT_TRUE(alone.ok()) << alone.status();
    const at::Tensor row = at::tensor(together->values).view({images, -1})[i];
    EXPECT_GE(Cosine(row.slice(0, 0, expected.size(0)), expected), LeastCosine(GetParam(), dtype))
        << "image " << i;
    EXPECT_GE(Cosine(at::tensor(alone->values), row), 0.9999) << "image " << i;
  }
}

TEST_P(VisionGpuTest, EqualsTheReferenceAloneAndTogether) {
  if (const auto device = cuda::FindDevice(0); !device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  EqualsTheReference(at::kBFloat16);
}

TEST_P(VisionGpuTest, EqualsTheReferenceInFloat32) {
  if (const auto device = cuda::FindDevice(0); !device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  EqualsTheReference(at::kFloat);
}

INSTANTIATE_TEST_SUITE_P(Models, VisionGpuTest,
                         testing::Values("clip", "clip_legacy", "clip_vision", "siglip",
                                         "siglip_vision", "vit", "vit_head", "dinov2",
                                         "dinov2_giant", "dinov2_native", "resnet", "resnet_head",
                                         "resnet_basic", "efficientnet_lite0",
                                         "tf_efficientnet_lite0", "tf_efficientnet_lite1",
                                         "tf_efficientnet_lite2", "tf_efficientnet_lite3",
                                         "tf_efficientnet_lite4"));

}  // namespace
}  // namespace terminus::models::vision
