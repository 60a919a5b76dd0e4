#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/cuda/library.h"

namespace terminus::models::cuda {
namespace {

class NormalizePixelsTest : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(NormalizePixelsTest, EqualsAten) {
  const auto device = FindDevice(0);
  if (!device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  const auto [count, side] = GetParam();
  const at::Tensor pixels = at::randint(0, 256, {count, side, side, 3}, at::kByte);
  const std::array<float, 3> scale = {0.017f, 0.018f, 0.0175f};
  const std::array<float, 3> shift = {-2.1f, -2.0f, -1.8f};
  const at::Tensor expected = (pixels.to(at::kFloat) * at::tensor(at::ArrayRef<float>(scale)) +
                               at::tensor(at::ArrayRef<float>(shift)))
                                  .permute({0, 3, 1, 2})
                                  .contiguous()
                                  .to(at::kBFloat16);

  const at::Tensor on_device = pixels.to(at::kCUDA);
  // Poisoned, so that an element which is not written shows.
  const at::Tensor out =
      at::full({count, 3, side, side}, 1e4, on_device.options().dtype(at::kBFloat16));
  const int status =
      (*LoadLibrary())
          ->normalize_pixels_bf16(on_device.data_ptr<uint8_t>(), count, side * side, scale.data(),
                                  shift.data(), out.data_ptr(), nullptr);
  ASSERT_EQ(status, 0);
  const at::Tensor difference = (out.cpu().to(at::kFloat) - expected.to(at::kFloat)).abs();
  // A fused multiply-add may round the last bit of a bf16 the other way: 2^-8 of up to 2.6.
  EXPECT_LE(difference.max().item<float>(), 0.016f);
  EXPECT_LE(difference.mean().item<float>(), 1e-4f);
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormalizePixelsTest,
                         testing::Values(std::pair<int64_t, int64_t>{1, 1},
                                         std::pair<int64_t, int64_t>{3, 17},
                                         std::pair<int64_t, int64_t>{8, 224}));

}  // namespace
}  // namespace terminus::models::cuda
