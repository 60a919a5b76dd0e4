// What loading a language model onto the CPU takes at most beside what its weights do.
#include <optional>
#include <string>
#include <utility>

#include "common/base/temp_folder.h"
#include "common/collective/factory.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/decoder/collective_group.h"
#include "models/decoder/load.h"

namespace terminus::models::decoder {
namespace {

class DecoderMemoryTest : public testing::Test {
 protected:
  DecoderMemoryTest() {
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(model_, folder_.path()).ok());
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden_, small_.path()).ok());
  }

  // The most memory that a load takes, as a multiple of `weights` bytes; nothing where it cannot be
  // measured.
  std::optional<double> PeakOver(const LmOptions& options, int64_t weights) {
    // The code that loads is in memory before.
    EXPECT_TRUE(LoadCausalLm(small_.path(), at::kCPU, options).ok());
    const auto memory = checkpoint::PeakMemory::Start();
    if (!memory.ok()) {
      return std::nullopt;
    }
    const auto lm = LoadCausalLm(folder_.path(), at::kCPU, options);
    const auto peak = static_cast<double>(memory->Above());
    EXPECT_TRUE(lm.ok()) << lm.status();
    RecordProperty("peak_over_weights", std::to_string(peak / static_cast<double>(weights)));
    return peak / static_cast<double>(weights);
  }

  static nlohmann::json Model(const nlohmann::json& golden) {
    nlohmann::json model = checkpoint::Enlarge(
        golden, {{64, 1024}, {32, 512}, {88, 2816}, {97, 4000}}, "model.layers.", 7,
        {{"hidden_size", 1024},
         {"head_dim", 256},
         {"intermediate_size", 2816},
         {"vocab_size", 4000},
         {"num_hidden_layers", 7},
         {"tie_word_embeddings", false}});
    model["tensors"].push_back({"lm_head.weight", {4000, 1024}});
    return model;
  }

  const nlohmann::json golden_ = checkpoint::ReadGolden("llama_tied");
  const nlohmann::json model_ = Model(golden_);
  const base::TempFolder folder_;
  const base::TempFolder small_;
};

TEST_F(DecoderMemoryTest, LoadingTakesLittleMoreThanTheWeights) {
  const auto peak = PeakOver({.threads = 2, .kv_blocks = 1}, checkpoint::WeightBytes(model_));
  if (!peak) {
    GTEST_SKIP() << "peaks cannot be measured here";
  }
  EXPECT_LE(*peak, 1.1);
}

// A rank takes what its slice does, and a whole matrix of which it copies columns.
TEST_F(DecoderMemoryTest, ARankTakesItsSliceAlone) {
  auto world = collective::CreateLoopback(2);
  ASSERT_TRUE(world.ok()) << world.status();
  LmOptions options{.threads = 2, .kv_blocks = 1};
  options.tensor = {.rank = 1, .size = 2};
  options.tensor_group =
      std::make_shared<CollectiveGroup>(std::move((*world)[1]), CollectiveGroup::Options());
  const auto peak = PeakOver(options, checkpoint::WeightBytes(model_) / 2);
  if (!peak) {
    GTEST_SKIP() << "peaks cannot be measured here";
  }
  EXPECT_LE(*peak, 1.15);
}

}  // namespace
}  // namespace terminus::models::decoder
