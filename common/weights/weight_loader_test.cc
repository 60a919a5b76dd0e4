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

}  // namespace
}  // namespace terminus::weights
