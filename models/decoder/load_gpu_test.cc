#include "common/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/cuda/library.h"
#include "models/decoder/load.h"
#include "models/decoder/teacher_model.h"

namespace terminus::models::decoder {
namespace {

class LoadGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto gpu = cuda::FindDevice(0); !gpu.ok()) {
      GTEST_SKIP() << gpu.status();
    }
  }

  absl::StatusOr<std::unique_ptr<CausalLm>> Load(int64_t kv_bytes) const {
    return LoadCausalLm(model_.folder(), at::Device(at::kCUDA, 0),
                        {.kv_bytes = kv_bytes, .max_sequences = 16, .max_tokens = 256});
  }

 private:
  const TeacherModel model_{"heads_of_64"};
};

TEST_F(LoadGpu, BesideAModelThatTookTheRestOfTheDeviceThereIsNoRoom) {
  auto first = Load(/*kv_bytes=*/0);
  ASSERT_TRUE(first.ok()) << first.status();
  // The sums name what is there and what is wanted.
  const absl::Status second = Load(/*kv_bytes=*/0).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
  EXPECT_EQ(base::Reason(second), base::kReasonModelTooLarge) << second;
  EXPECT_THAT(std::string(second.message()), testing::HasSubstr("MiB"));
  first->reset();
  EXPECT_TRUE(Load(/*kv_bytes=*/0).ok());
}

TEST_F(LoadGpu, BesideAModelOfASetSizeThereIsRoom) {
  const auto first = Load(/*kv_bytes=*/int64_t{64} << 20);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Load(/*kv_bytes=*/0);
  EXPECT_TRUE(second.ok()) << second.status();
}

}  // namespace
}  // namespace terminus::models::decoder
