#include "common/tensor/tensor.h"

#include <cmath>
#include <limits>

#include "common/tensor/half.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tensor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::Tensor Make(v1::DataType dtype, std::vector<int64_t> shape, size_t bytes) {
  v1::Tensor tensor;
  tensor.set_dtype(dtype);
  for (const int64_t size : shape) {
    tensor.add_shape(size);
  }
  tensor.set_data(std::string(bytes, '\1'));
  return tensor;
}

std::string Refusal(const v1::Tensor& tensor) {
  const auto count = ElementCount(tensor);
  EXPECT_FALSE(count.ok());
  EXPECT_EQ(count.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(count.status().message());
}

TEST(TensorTest, CountsElements) {
  EXPECT_EQ(*ElementCount(Make(v1::DATA_TYPE_FLOAT32, {2, 3}, 24)), 6);
  EXPECT_EQ(*ElementCount(Make(v1::DATA_TYPE_FLOAT32, {}, 4)), 1);
  EXPECT_EQ(*ElementCount(Make(v1::DATA_TYPE_FLOAT32, {0, 7}, 0)), 0);
  EXPECT_EQ(*ElementCount(Make(v1::DATA_TYPE_BIT, {9}, 2)), 9);
  EXPECT_EQ(*ElementCount(Make(v1::DATA_TYPE_INT64, {1, 1, 1, 1, 1, 1, 1, 1}, 8)), 1);
}

TEST(TensorTest, RefusesWhatDoesNotAddUp) {
  EXPECT_THAT(Refusal(Make(v1::DATA_TYPE_FLOAT32, {2}, 7)), HasSubstr("make 8"));
  EXPECT_THAT(Refusal(Make(v1::DATA_TYPE_UNSPECIFIED, {2}, 8)), HasSubstr("dtype 0"));
  EXPECT_THAT(Refusal(Make(static_cast<v1::DataType>(99), {2}, 8)), HasSubstr("dtype 99"));
  EXPECT_THAT(Refusal(Make(v1::DATA_TYPE_FLOAT32, {-1}, 8)), HasSubstr("-1"));
  EXPECT_THAT(Refusal(Make(v1::DATA_TYPE_FLOAT32, std::vector<int64_t>(9, 1), 4)),
              HasSubstr("9 dimensions"));
  const int64_t large = int64_t{1} << 32;
  EXPECT_THAT(Refusal(Make(v1::DATA_TYPE_FLOAT32, {large, large}, 0)), HasSubstr("too many"));
  EXPECT_THAT(Refusal(Make(v1::DATA_TYPE_INT8, {std::numeric_limits<int64_t>::max()}, 0)),
              HasSubstr("too many"));
}

TEST(TensorTest, VectorsComeBackFromEachDtype) {
  const std::vector<float> values = {1, -0.5, 0.25, 0, 2, -2, 0.125, 1.5, 1};
  for (const auto dtype : {v1::DATA_TYPE_FLOAT32, v1::DATA_TYPE_FLOAT16, v1::DATA_TYPE_BFLOAT16}) {
    const auto tensor = Quantize(values, dtype);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->dtype(), dtype);
    EXPECT_EQ(*ToFloats(*tensor), values);
  }
  EXPECT_THAT(*ToFloats(*Quantize(values, v1::DATA_TYPE_INT8)),
              ElementsAre(64, -32, 16, 0, 127, -127, 8, 95, 64));
  EXPECT_THAT(*ToFloats(*Quantize(values, v1::DATA_TYPE_BIT)),
              ElementsAre(1, -1, 1, -1, 1, -1, 1, 1, 1));
  EXPECT_EQ(Quantize(values, v1::DATA_TYPE_BIT)->data(), "\xab\x80");
  EXPECT_THAT(*ToFloats(*Quantize({{0, 0}}, v1::DATA_TYPE_INT8)), ElementsAre(0, 0));
  EXPECT_FALSE(Quantize(values, v1::DATA_TYPE_INT64).ok());
}

TEST(TensorTest, ReadVectorTakesOnlyVectorsOfTheSpace) {
  EXPECT_TRUE(ReadVector(FromFloats({{1, 2}}), 2).ok());
  EXPECT_FALSE(ReadVector(FromFloats({{1, 2}}), 3).ok());
  EXPECT_FALSE(ReadVector(FromFloats({{0, 0}}), 2).ok());
  EXPECT_FALSE(ReadVector(FromFloats({{1, NAN}}), 2).ok());
  EXPECT_FALSE(ReadVector(FromFloats({{1, INFINITY}}), 2).ok());
  EXPECT_FALSE(ReadVector(Make(v1::DATA_TYPE_INT8, {2}, 2), 2).ok());
  EXPECT_FALSE(ReadVector(Make(v1::DATA_TYPE_FLOAT32, {2}, 4), 2).ok());
}

TEST(TensorTest, NormalizeScalesToLengthOne) {
  std::vector<float> values = {3, 4};
  Normalize(absl::MakeSpan(values));
  EXPECT_THAT(values, ElementsAre(testing::FloatEq(0.6), testing::FloatEq(0.8)));
  std::vector<float> zeros = {0, 0};
  Normalize(absl::MakeSpan(zeros));
  EXPECT_THAT(zeros, ElementsAre(0, 0));
}

// Every half, and both neighbours of the middle between it and the next.
TEST(HalfTest, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    ASSERT_EQ(FloatToHalf(value), bits);
    ASSERT_EQ(FloatToHalf(-value), bits | 0x8000);
    const float next = bits + 1 == 0x7c00 ? 65536.0f : HalfToFloat(static_cast<uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(FloatToHalf(middle), bits + (bits & 1));
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), bits + 1);
  }
  EXPECT_EQ(FloatToHalf(1e6f), 0x7c00);
  EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(NAN))));
  EXPECT_EQ(HalfToFloat(0x7c00), INFINITY);
}

TEST(HalfTest, Bfloat16RoundsToNearestEven) {
  EXPECT_EQ(FloatToBfloat16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBfloat16(1.00390625f), 0x3f80);  // A tie: down to even.
  EXPECT_EQ(FloatToBfloat16(1.01171875f), 0x3f82);  // A tie: up to even.
  EXPECT_EQ(Bfloat16ToFloat(0x3f82), 1.015625f);
  EXPECT_TRUE(std::isnan(Bfloat16ToFloat(FloatToBfloat16(NAN))));
  EXPECT_EQ(Bfloat16ToFloat(FloatToBfloat16(3.4e38f)), INFINITY);
}

}  // namespace
}  // namespace terminus::tensor
