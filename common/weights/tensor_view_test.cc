#include "common/weights/tensor_view.h"

#include <gtest/gtest.h>

#include <numeric>

namespace terminus::weights {
namespace {

// uint8 [2, 3, 4], each element its own index.
class SliceTest : public ::testing::Test {
 protected:
  SliceTest() : bytes_(24, '\0') {
    std::iota(bytes_.begin(), bytes_.end(), '\0');
    tensor_ = {.dtype = DType::kUInt8,
               .shape = {2, 3, 4},
               .data = {reinterpret_cast<const std::byte*>(bytes_.data()), bytes_.size()}};
  }

  std::string bytes_;
  TensorView tensor_;
};

TEST_F(SliceTest, RowsAreAView) {
  const auto slice = SliceRows(tensor_, 1, 2);
  ASSERT_TRUE(slice.ok());
  EXPECT_EQ(slice->shape, (std::vector<int64_t>{1, 3, 4}));
  EXPECT_EQ(slice->data.data(), tensor_.data.data() + 12);
  EXPECT_EQ(slice->data.size(), 12u);
}

TEST_F(SliceTest, CopyTakesInnerDimensions) {
  EXPECT_EQ(*SliceCopy(tensor_, 0, 1, 2), bytes_.substr(12));
  EXPECT_EQ(*SliceCopy(tensor_, 1, 1, 3), bytes_.substr(4, 8) + bytes_.substr(16, 8));
  EXPECT_EQ(*SliceCopy(tensor_, 2, 3, 4), std::string("\x03\x07\x0b\x0f\x13\x17"));
  EXPECT_EQ(*SliceCopy(tensor_, 2, 2, 2), "");
}

TEST_F(SliceTest, CopyMovesWholeElements) {
  tensor_.dtype = DType::kInt32;
  tensor_.shape = {2, 3};
  EXPECT_EQ(*SliceCopy(tensor_, 1, 1, 2), bytes_.substr(4, 4) + bytes_.substr(16, 4));
}

TEST_F(SliceTest, RangesOutsideAreRefused) {
  EXPECT_EQ(SliceRows(tensor_, 0, 3).status().message(),
            "slice [0, 3) of dimension 0 of uint8 [2, 3, 4]");
  EXPECT_FALSE(SliceRows(tensor_, -1, 1).ok());
  EXPECT_FALSE(SliceCopy(tensor_, 1, 2, 1).ok());
  EXPECT_FALSE(SliceCopy(tensor_, 3, 0, 0).ok());
  EXPECT_FALSE(SliceCopy(TensorView{}, 0, 0, 0).ok());
}

}  // namespace
}  // namespace terminus::weights
