#include "models/decoder/memory_plan.h"

#include "common/base/errors.h"
#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/decoder/load.h"

namespace terminus::models::decoder {
namespace {

using testing::HasSubstr;

constexpr int64_t kGiB = int64_t{1} << 30;

// The shape of Llama-3.1-8B.
LlamaConfig Large() {
  const auto config = ParseLlamaConfig("config.json", R"({
      "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32,
      "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
      "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
      "hidden_act": "silu", "tie_word_embeddings": false})");
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

TEST(MemoryPlan, CountsWeightsWorkspaceAndTheSmallestCache) {
  const MemoryNeed need = NeedOf(Large(), ResolveSizes({.kv_bytes = 0}, /*gpu=*/true), 2);
  EXPECT_EQ(need.weights, 2 * int64_t{8'030'261'248});
  // 8,192 tokens of 32,768 numbers, and 512 rows of logits.
  EXPECT_EQ(need.workspace, 2 * int64_t{8192} * 32768 + 4 * int64_t{512} * 128256);
  // A block of 2 MiB for each sequence.
  EXPECT_EQ(need.cache, kGiB);
  const MemoryNeed given = NeedOf(Large(), ResolveSizes({.kv_bytes = 20 * kGiB}, true), 2);
  EXPECT_EQ(given.cache, 20 * kGiB);
  EXPECT_EQ(given.sum(), need.weights + need.workspace + 20 * kGiB);
}

// Of every family: biases, norms of heads, tied tables.
TEST(MemoryPlan, WeightsAreThoseOfTheFolder) {
  for (const char* name :
       {"llama_tied", "llama3_scaled", "mistral", "qwen2", "qwen3_biased", "smollm3"}) {
    const nlohmann::json golden = checkpoint::ReadGolden(name);
    const auto config = ParseLlamaConfig("config.json", golden["config"].dump());
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(NeedOf(*config, ResolveSizes({}, /*gpu=*/false), 4).weights,
              checkpoint::WeightBytes(golden))
        << name;
    // Two stages have all layers between them, and a table each.
    const auto stage = [&](int first, int last) {
      return NeedOf(*config, ResolveSizes({.layers = {first, last}}, false), 4).weights;
    };
    const int64_t table = int64_t{4} * config->vocab_size * config->hidden_size;
    EXPECT_EQ(stage(0, 1) + stage(1, -1),
              checkpoint::WeightBytes(golden) + (config->tied_embeddings ? table : 0))
        << name;
  }
}

TEST(MemoryPlan, ASecondModelFitsOnlyWhereTheFirstLeavesRoom) {
  const LmOptions automatic = ResolveSizes({.kv_bytes = 0}, /*gpu=*/true);
  const MemoryNeed need = NeedOf(Large(), automatic, 2);
  EXPECT_TRUE(CheckFits(need, {.free = 139 * kGiB, .total = 140 * kGiB}, automatic).ok());
  // The first one took all but a tenth.
  const absl::Status status = CheckFits(need, {.free = 14 * kGiB, .total = 140 * kGiB}, automatic);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(status), "MODEL_TOO_LARGE");
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("at least 17103 MiB"), HasSubstr("weights 15316 MiB"),
                             HasSubstr("workspace 762 MiB"), HasSubstr("keys and values 1024 MiB"),
                             HasSubstr("14336 MiB of its 143360 MiB are free"),
                             HasSubstr("decoder.kv_bytes")));
  // With a cache of 20 GiB each there is room for both, to the last byte.
  const LmOptions given = ResolveSizes({.kv_bytes = 20 * kGiB}, true);
  const MemoryNeed small = NeedOf(Large(), given, 2);
  EXPECT_TRUE(CheckFits(small, {.free = small.sum(), .total = 2 * small.sum()}, given).ok());
  EXPECT_FALSE(CheckFits(small, {.free = small.sum() - 1, .total = 2 * small.sum()}, given).ok());
}

TEST(MemoryPlan, GraphsCountWhereThereAreAny) {
  MemoryNeed need = {.weights = 3 << 20, .workspace = 2 << 20, .cache = 1 << 20};
  const LmOptions given = {.kv_bytes = 1 << 20};
  const DeviceMemory memory = {.free = 6 << 20, .total = 8 << 20};
  EXPECT_TRUE(CheckFits(need, memory, given).ok());
  need.graphs = 1 << 20;
  const absl::Status status = CheckFits(need, memory, given);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("at least 7 MiB"), HasSubstr("graphs 1 MiB")));
}

TEST(MemoryPlan, ALoadIsRefusedBeforeAWeightIsRead) {
  nlohmann::json golden = checkpoint::ReadGolden("llama_tied");
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  DeviceMemory memory{.free = 1 << 10, .total = kGiB};
  int asked = 0;
  const LmOptions options{.threads = 1, .kv_blocks = 2, .device_memory = [&] {
                            ++asked;
                            return memory;
                          }};
  const auto refused = LoadCausalLm(folder.path(), at::kCPU, options);
  EXPECT_EQ(base::Reason(refused.status()), "MODEL_TOO_LARGE") << refused.status();
  EXPECT_EQ(asked, 1);
  memory.free = kGiB;
  EXPECT_TRUE(LoadCausalLm(folder.path(), at::kCPU, options).ok());
}

}  // namespace
}  // namespace terminus::models::decoder
