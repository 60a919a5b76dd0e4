// What loading an image tower takes at most beside what its weights do.
#include <ATen/Parallel.h>

#include "absl/strings/str_cat.h"
#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/vision/golden_images.h"
#include "models/vision/vision_encoder.h"

namespace terminus::models::vision {
namespace {

// `model` is made of `golden`; `added_bytes` is what its weights take more than in the file.
void ExpectLoadingTakesLittleMore(const nlohmann::json& model, const nlohmann::json& golden,
                                  double added_bytes = 0) {
  // Several would spin for each other while other tests have the cores.
  at::set_num_threads(1);
  const base::TempFolder folder;
  const base::TempFolder small;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(model, folder.path()).ok());
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, small.path()).ok());
  // The code that loads is in memory before.
  ASSERT_TRUE(VisionEncoder::Load(small.path(), GoldenPreprocessor(golden)).ok());
  const auto memory = checkpoint::PeakMemory::Start();
  if (!memory.ok()) {
    GTEST_SKIP() << memory.status();
  }
  const auto encoder = VisionEncoder::Load(folder.path(), GoldenPreprocessor(model));
  const auto peak = static_cast<double>(memory->Above());
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const double weights = static_cast<double>(checkpoint::WeightBytes(model)) + added_bytes;
  testing::Test::RecordProperty("peak_over_weights", std::to_string(peak / weights));
  EXPECT_LE(peak, 1.1 * weights);
}

TEST(VisionMemoryTest, LoadingAVitTakesLittleMoreThanTheWeights) {
  const nlohmann::json golden = checkpoint::ReadGolden("clip_vision");
  ExpectLoadingTakesLittleMore(
      checkpoint::Enlarge(
          golden, {{36, 768}, {56, 3072}}, "encoder.layers.", 10,
          {{"hidden_size", 768}, {"intermediate_size", 3072}, {"num_hidden_layers", 10}}),
      golden);
}

// ResNet-152's bottlenecks, whose names do not follow from one layer's.
TEST(VisionMemoryTest, LoadingAResNetTakesLittleMoreThanTheWeights) {
  const nlohmann::json golden = checkpoint::ReadGolden("resnet");
  nlohmann::json model = golden;
  const std::vector<int> depths = {3, 8, 36, 3};
  const std::vector<int> channels = {256, 512, 1024, 2048};
  model["config"].merge_patch(
      {{"embedding_size", 64}, {"hidden_sizes", channels}, {"depths", depths}});
  nlohmann::json tensors = nlohmann::json::array();
  double added_bytes = 0;
  const auto add = [&](const std::string& name, int in, int out, int kernel) {
    tensors.push_back({name + ".convolution.weight", {out, in, kernel, kernel}});
    for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
      tensors.push_back({absl::StrCat(name, ".normalization.", part), {out}});
    }
  };
  add("embedder.embedder", 3, 64, 7);
  int in = 64;
  for (size_t s = 0; s < depths.size(); ++s) {
    for (int b = 0; b < depths[s]; ++b) {
      const std::string prefix = absl::StrCat("encoder.stages.", s, ".layers.", b, ".");
      add(prefix + "layer.0", in, channels[s] / 4, 1);
      add(prefix + "layer.1", channels[s] / 4, channels[s] / 4, 3);
      // Winograd's transformed weights, 16 points for 9, where they are used: decision 0013.
      if (const int inner = channels[s] / 4; (b > 0 || s == 0) && inner <= 256) {
        added_bytes += 7.0 * inner * inner * sizeof(float);
      }
      add(prefix + "layer.2", channels[s] / 4, channels[s], 1);
      if (b == 0) {
        add(prefix + "shortcut", in, channels[s], 1);
      }
      in = channels[s];
    }
  }
  model["tensors"] = tensors;
  ExpectLoadingTakesLittleMore(model, golden, added_bytes);
}

}  // namespace
}  // namespace terminus::models::vision
