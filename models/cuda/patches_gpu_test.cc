#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/cuda/library.h"

namespace terminus::models::cuda {
namespace {

struct Case {
  int64_t count;
  int64_t height;
  int64_t width;
  int64_t side;
  int64_t row;
};

class PatchesTest : public testing::TestWithParam<Case> {};

TEST_P(PatchesTest, EqualsAten) {
  const auto device = FindDevice(0);
  if (!device.ok()) {
    GTEST_SKIP() << device.status().message();
  }
  const Case& shape = GetParam();
  const int64_t rows = shape.height / shape.side;
  const int64_t columns = shape.width / shape.side;
  const at::Tensor pixels =
      at::randint(0, 256, {shape.count, shape.height, shape.width, 3}, at::kByte);
  TerminusCudaPatches args = {.count = shape.count,
                              .height = static_cast<int>(shape.height),
                              .width = static_cast<int>(shape.width),
                              .scale = {0.017f, 0.018f, 0.0175f},
                              .shift = {-2.1f, -2.0f, -1.8f},
                              .side = static_cast<int>(shape.side),
                              .row = static_cast<int>(shape.row)};
  const at::Tensor normalised =
      pixels.to(at::kFloat) * at::tensor(at::ArrayRef<float>(args.scale, 3)) +
      at::tensor(at::ArrayRef<float>(args.shift, 3));
  const at::Tensor patches = normalised.slice(1, 0, rows * shape.side)
                                 .slice(2, 0, columns * shape.side)
                                 .reshape({shape.count, rows, shape.side, columns, shape.side, 3})
                                 .permute({0, 1, 3, 5, 2, 4})
                                 .reshape({shape.count * rows * columns, -1});
  const at::Tensor expected =
      at::constant_pad_nd(patches, {0, shape.row - patches.size(1)}).to(at::kBFloat16);

  const at::Tensor on_device = pixels.to(at::kCUDA);
  // Poisoned, so that an element which is not written shows.
  at::Tensor out = at::full(expected.sizes(), 1e4, on_device.options().dtype(at::kBFloat16));
  args.pixels = on_device.data_ptr<uint8_t>();
  args.out = out.data_ptr();
  ASSERT_EQ((*LoadLibrary())->patches(&args, nullptr), 0);
  const at::Tensor difference = (out.cpu().to(at::kFloat) - expected.to(at::kFloat)).abs();
  // A fused multiply-add may round the last bit of a bf16 the other way: 2^-8 of up to 2.6.
  EXPECT_LE(difference.max().item<float>(), 0.016f);
  EXPECT_LE(difference.mean().item<float>(), 1e-4f);
}

INSTANTIATE_TEST_SUITE_P(Shapes, PatchesTest,
                         testing::Values(Case{1, 1, 1, 1, 3}, Case{3, 17, 23, 1, 3},
                                         Case{2, 31, 45, 14, 592}, Case{2, 40, 900, 14, 592},
                                         Case{8, 224, 224, 32, 3072}, Case{8, 224, 224, 16, 768}));

}  // namespace
}  // namespace terminus::models::cuda
