#include "models/bundle/fingerprint.h"

#include "common/base/temp_folder.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"

namespace terminus::models::bundle {
namespace {

TEST(FingerprintTest, HoldsAFewMebibytesOfAFileAtATime) {
  const base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteFakeWeights(folder.Path("model.safetensors"),
                                           nlohmann::json::parse(R"([["a", [25000, 1000]]])"))
                  .ok());
  const auto memory = checkpoint::PeakMemory::Start();
  if (!memory.ok()) {
    GTEST_SKIP() << memory.status();
  }
  EXPECT_TRUE(Fingerprint(folder.path()).ok());
  EXPECT_LE(memory->Above(), int64_t{20} << 20);
}

}  // namespace
}  // namespace terminus::models::bundle
