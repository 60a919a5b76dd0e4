#include "models/decoder/cuda/product_table.h"

#include <gtest/gtest.h>

namespace terminus::models::decoder::cuda {
namespace {

constexpr char kOrigin[] = "Device 9, cuBLASLt 130100, kernels 1";

const ProductKey kHead = {ProductOutput::kFloat, false, 64, 1000, 8};
const ProductKey kGate = {ProductOutput::kGated, true, 64, 512, 256};
const ProductChoice kAlgorithm = {
    .method = ProductMethod::kCublas, .width = 0, .algorithm = {1, 2, 3, ~uint64_t{0}, 5, 6, 7, 8}};
const ProductChoice kTile = {.method = ProductMethod::kGated, .width = 224, .algorithm = {}};

ProductTable Table() {
  ProductTable table;
  table.Keep(kHead, kAlgorithm);
  table.Keep(kGate, kTile);
  return table;
}

TEST(ProductTableTest, WhatIsWrittenIsRead) {
  const auto table = ProductTable::Read(Table().Write(kOrigin), kOrigin);
  ASSERT_TRUE(table.has_value());
  ASSERT_NE(table->Find(kHead), nullptr);
  EXPECT_EQ(*table->Find(kHead), kAlgorithm);
  ASSERT_NE(table->Find(kGate), nullptr);
  EXPECT_EQ(*table->Find(kGate), kTile);
}

TEST(ProductTableTest, EachPartOfAKeyCounts) {
  const ProductTable table = Table();
  for (const ProductKey& other : {ProductKey{ProductOutput::kBf16, false, 64, 1000, 8},
                                  ProductKey{ProductOutput::kFloat, true, 64, 1000, 8},
                                  ProductKey{ProductOutput::kFloat, false, 65, 1000, 8},
                                  ProductKey{ProductOutput::kFloat, false, 64, 1001, 8},
                                  ProductKey{ProductOutput::kFloat, false, 64, 1000, 16}}) {
    EXPECT_EQ(table.Find(other), nullptr);
  }
}

TEST(ProductTableTest, AnotherDeviceOrVersionIsNotTaken) {
  EXPECT_FALSE(ProductTable::Read(Table().Write(kOrigin), "Device 8, cuBLASLt 130100, kernels 1"));
}

TEST(ProductTableTest, ATextThatIsCutOrChangedIsNotTaken) {
  const std::string text = Table().Write(kOrigin);
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(ProductTable::Read(text.substr(0, i), kOrigin)) << i;
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(ProductTable::Read(changed, kOrigin)) << i;
  }
}

}  // namespace
}  // namespace terminus::models::decoder::cuda
