#include "common/weights/weight_loader.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/temp_folder.h"
#include "common/weights/safetensors_writer.h"

namespace terminus::weights {
namespace {

class WeightLoaderTest : public ::testing::Test {
 protected:
  WeightLoaderTest() : path_(folder_.Path("weight_loader_test.safetensors")) {
    const std::string bytes(24, '\1');
    const TensorView view{.dtype = DType::kFloat32,
                          .shape = {2, 3},
                          .data = {reinterpret_cast<const std::byte*>(bytes.data()), 24}};
    const absl::Status written = WriteSafetensors(path_, {{"a", view}, {"b", view}});
    EXPECT_TRUE(written.ok()) << written;
    map_ = *TensorMap::Open(path_);
  }

  const base::TempFolder folder_;
  const std::string path_;
  std::shared_ptr<const TensorMap> map_;
};

TEST_F(WeightLoaderTest, ReturnsTensorsThatFit) {
  WeightLoader loader(*map_);
  EXPECT_EQ(loader.Get("a", DType::kFloat32, {2, 3}).data.size(), 24u);
  EXPECT_TRUE(loader.Finish().ok());
}

TEST_F(WeightLoaderTest, ListsEveryMissWithBothSides) {
  WeightLoader loader(*map_);
  loader.Get("a", DType::kFloat32, {2, 3});
  const TensorView differs = loader.Get("a", DType::kFloat32, {3, 2});
  EXPECT_TRUE(differs.data.empty());
  EXPECT_EQ(differs.shape, (std::vector<int64_t>{3, 2}));
  loader.Get("b", DType::kFloat16, {2, 3});
  loader.Get("c.weight", DType::kInt64, {});
  EXPECT_EQ(loader.Finish().message(),
            path_ +
                ": 3 of 4 tensors are missing or differ:\n"
                "  a: expected float32 [3, 2], file has float32 [2, 3]\n"
                "  b: expected float16 [2, 3], file has float32 [2, 3]\n"
                "  c.weight: expected int64 [], file has no such tensor");
}

TEST_F(WeightLoaderTest, ListsMissingMisshapenMistypedAndExtraTogether) {
  const std::string path = folder_.Path("all.safetensors");
  const std::string bytes(24, '\1');
  const auto view = [&](DType dtype, std::vector<int64_t> shape) {
    return TensorView{.dtype = dtype,
                      .shape = std::move(shape),
                      .data = {reinterpret_cast<const std::byte*>(bytes.data()), 24}};
  };
  ASSERT_TRUE(WriteSafetensors(path, {{"layer.a", view(DType::kFloat32, {2, 3})},
                                      {"layer.b", view(DType::kFloat16, {3, 4})},
                                      {"layer.renamed", view(DType::kFloat32, {6})},
                                      {"head.weight", view(DType::kFloat32, {6})},
                                      {"head.bias", view(DType::kFloat32, {6})}})
                  .ok());
  const auto map = *TensorMap::Open(path);
  WeightLoader loader(*map);
  loader.Get("layer.a", DType::kFloat32, {3, 2});
  loader.Get("layer.b", DType::kFloat32, {3, 4});
  loader.Get("layer.c", DType::kFloat32, {6});
  EXPECT_EQ(loader.Finish().message(),
            path +
                ": 3 of 3 tensors are missing or differ:\n"
                "  layer.a: expected float32 [3, 2], file has float32 [2, 3]\n"
                "  layer.b: expected float32 [3, 4], file has float16 [3, 4]\n"
                "  layer.c: expected float32 [6], file has no such tensor\n"
                "1 tensors of the file are not used:\n"
                "  layer.renamed: float32 [6]\n"
                "nothing is used of its part head (2 tensors)");
}

TEST_F(WeightLoaderTest, WhatNobodyAsksForIsNoFault) {
  WeightLoader loader(*map_);
  loader.Get("a", DType::kFloat32, {2, 3});
  EXPECT_TRUE(loader.Finish().ok());
  EXPECT_TRUE(loader.Unused().empty()) << "b is another part";
}

TEST_F(WeightLoaderTest, NamesAreTheFilesOwn) {
  const std::string path = folder_.Path("named.safetensors");
  const std::string bytes(24, '\1');
  const TensorView view{.dtype = DType::kFloat32,
                        .shape = {2, 3},
                        .data = {reinterpret_cast<const std::byte*>(bytes.data()), 24}};
  ASSERT_TRUE(WriteSafetensors(path, {{"bert.a.LayerNorm.gamma", view},
                                      {"bert.a.b", view},
                                      {"bert.twice", view},
                                      {"twice", view},
                                      {"bert.a.num_batches_tracked", view},
                                      {"bert.a.more", view}})
                  .ok());
  const auto map = *TensorMap::Open(path);
  constexpr absl::string_view kPrefixes[] = {"bert."};
  WeightLoader loader(*map, {.prefixes = kPrefixes});
  EXPECT_EQ(loader.Get("a.LayerNorm.weight", DType::kFloat32, {2, 3}).data.size(), 24u);
  EXPECT_NE(loader.Find("a.b"), nullptr);
  EXPECT_EQ(loader.Find("bert.a.b"), nullptr);
  loader.Get("a.b", DType::kFloat32, {3, 2});
  loader.Get("a.c", DType::kFloat32, {3});
  loader.Get("head", DType::kFloat32, {3});
  EXPECT_TRUE(loader.Get("twice", DType::kFloat32, {2, 3}).data.empty());
  EXPECT_EQ(loader.Finish().message(),
            path +
                ": 4 of 5 tensors are missing or differ:\n"
                "  bert.a.b: expected float32 [3, 2], file has float32 [2, 3]\n"
                "  bert.a.c: expected float32 [3], file has no such tensor\n"
                "  head: expected float32 [3], file has no such tensor\n"
                "  bert.twice: file has this tensor as bert.twice and as twice, expected it once\n"
                "1 tensors of the file are not used:\n"
                "  bert.a.more: float32 [2, 3]");
}

// A tensor that another rank reads is not unused, and one that is not there is no fault.
TEST_F(WeightLoaderTest, SkippedTensorsAreNotUnused) {
  const std::string path = folder_.Path("skipped.safetensors");
  const std::string bytes(24, '\1');
  const TensorView view{.dtype = DType::kFloat32,
                        .shape = {2, 3},
                        .data = {reinterpret_cast<const std::byte*>(bytes.data()), 24}};
  ASSERT_TRUE(
      WriteSafetensors(path, {{"layer.a", view}, {"layer.b", view}, {"layer.c", view}}).ok());
  const auto map = *TensorMap::Open(path);
  WeightLoader loader(*map);
  loader.Get("layer.a", DType::kFloat32, {2, 3});
  loader.Skip("layer.c");
  loader.Skip("layer.d");
  EXPECT_EQ(loader.Unused(), (std::vector<std::string>{"layer.b"}));
  EXPECT_TRUE(loader.Finish().ok());
}

TEST(UnusedWarningTest, ListsAFewNames) {
  EXPECT_EQ(UnusedWarning("m", {"a", "b"}), "m: 2 tensors are not used: a, b");
  EXPECT_EQ(UnusedWarning("m", {"a", "b", "c", "d", "e", "f", "g", "h"}),
            "m: 8 tensors are not used: a, b, c, d, e, f, g, h");
  EXPECT_EQ(UnusedWarning("m", {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}),
            "m: 10 tensors are not used: a, b, c, d, e, f, g, h and 2 more");
}

}  // namespace
}  // namespace terminus::weights
