// What loading a language model onto the CPU takes at most beside what its weights do.
#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/decoder/load.h"

namespace terminus::models::decoder {
namespace {

TEST(DecoderMemoryTest, LoadingTakesLittleMoreThanTheWeights) {
  const nlohmann::json golden = checkpoint::ReadGolden("llama_tied");
  nlohmann::json model = checkpoint::Enlarge(
      golden, {{64, 1024}, {32, 512}, {88, 2816}, {97, 4000}}, "model.layers.", 7,
      {{"hidden_size", 1024},
       {"head_dim", 256},
       {"intermediate_size", 2816},
       {"vocab_size", 4000},
       {"num_hidden_layers", 7},
       {"tie_word_embeddings", false}});
  model["tensors"].push_back({"lm_head.weight", {4000, 1024}});
  const base::TempFolder folder;
  const base::TempFolder small;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(model, folder.path()).ok());
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, small.path()).ok());
  const LmOptions options{.threads = 2, .kv_blocks = 1};
  // The code that loads is in memory before.
  ASSERT_TRUE(LoadCausalLm(small.path(), at::kCPU, options).ok());
  const auto memory = checkpoint::PeakMemory::Start();
  if (!memory.ok()) {
    GTEST_SKIP() << memory.status();
  }
  const auto lm = LoadCausalLm(folder.path(), at::kCPU, options);
  const auto peak = static_cast<double>(memory->Above());
  ASSERT_TRUE(lm.ok()) << lm.status();
  const auto weights = static_cast<double>(checkpoint::WeightBytes(model));
  RecordProperty("peak_over_weights", std::to_string(peak / weights));
  EXPECT_LE(peak, 1.1 * weights);
}

}  // namespace
}  // namespace terminus::models::decoder
