#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/cuda/library.h"
#include "models/decoder/load.h"

namespace terminus::models::decoder {
namespace {

// Room for the longest prompt of a golden.
constexpr int kBlocks = 80;

// A GPU gives what transformers computed on the CPU, in float32 and, but for rounding, in bfloat16.
TEST(AtenLlamaGpu, EqualsTransformers) {
  if (const auto gpu = cuda::FindDevice(0); !gpu.ok()) {
    GTEST_SKIP() << gpu.status();
  }
  const c10::InferenceMode inference;
  for (const char* name :
       {"llama_tied", "llama3_scaled", "llama_yarn", "llama_longrope", "mistral", "mistral_window",
        "qwen2", "qwen2_window", "qwen3_window", "smollm2", "smollm3", "smollm3_window"}) {
    const nlohmann::json golden = checkpoint::ReadGolden(name);
    const base::TempFolder folder;
    ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
    for (const auto& [dtype, tolerance] :
         {std::pair(ComputeDType::kFloat32, 1e-3), std::pair(ComputeDType::kBFloat16, 0.1)}) {
      auto lm = LoadCausalLm(folder.path(), at::Device(at::kCUDA, 0),
                             {.kv_blocks = kBlocks, .dtype = dtype});
      ASSERT_TRUE(lm.ok()) << lm.status();
      for (size_t i = 0; i < golden["prompts"].size(); ++i) {
        const auto ids = golden["prompts"][i].get<std::vector<int32_t>>();
        const int32_t length = static_cast<int32_t>(ids.size());
        const int32_t pages = (length + kKvBlockTokens - 1) / kKvBlockTokens;
        std::vector<int32_t> positions(length), table(pages);
        for (int32_t t = 0; t < length; ++t) {
          positions[t] = t;
          table[t / kKvBlockTokens] = kBlocks - 1 - t / kKvBlockTokens;
        }
        const std::vector<int32_t> query = {0, length}, indptr = {0, pages},
                                   last = {length - (pages - 1) * kKvBlockTokens},
                                   wanted = {length - 1};
        const auto logits =
            (*lm)->Forward({.token_ids = ids,
                            .positions = positions,
                            .query_indptr = query,
                            .kv = {.indptr = indptr, .indices = table, .last_page_len = last},
                            .logits_tokens = wanted});
        ASSERT_TRUE(logits.ok()) << logits.status();
        const auto expected = golden["logits"][i].get<std::vector<float>>();
        ASSERT_EQ(logits->values.size(), expected.size());
        for (size_t id = 0; id < expected.size(); ++id) {
          ASSERT_NEAR(logits->values[id], expected[id], tolerance) << name << ", prompt " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace terminus::models::decoder
