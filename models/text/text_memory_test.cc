// What loading a text tower takes at most beside what its weights do.
#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/text/text_encoder.h"

namespace terminus::models::text {
namespace {

TEST(TextMemoryTest, LoadingTakesLittleMoreThanTheWeights) {
  const nlohmann::json golden = checkpoint::ReadGolden("bert_mean");
  const nlohmann::json model =
      checkpoint::Enlarge(golden, {{64, 768}, {128, 3072}, {101, 10000}}, "encoder.layer.", 9,
                          {{"hidden_size", 768},
                           {"intermediate_size", 3072},
                           {"vocab_size", 10000},
                           {"num_hidden_layers", 9},
                           {"max_position_embeddings", 768}});
  const base::TempFolder folder;
  const base::TempFolder small;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(model, folder.path()).ok());
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, small.path()).ok());
  // The code that loads is in memory before.
  ASSERT_TRUE(TextEncoder::Load(small.path()).ok());
  const auto memory = checkpoint::PeakMemory::Start();
  if (!memory.ok()) {
    GTEST_SKIP() << memory.status();
  }
  const auto encoder = TextEncoder::Load(folder.path());
  const auto peak = static_cast<double>(memory->Above());
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto weights = static_cast<double>(checkpoint::WeightBytes(model));
  RecordProperty("peak_over_weights", std::to_string(peak / weights));
  EXPECT_LE(peak, 1.1 * weights);
}

}  // namespace
}  // namespace terminus::models::text
