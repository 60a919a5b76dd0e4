#include "common/weights/tensor_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "common/weights/safetensors_writer.h"

namespace terminus::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TensorMapTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }

  void WriteTensor(const std::string& file, const std::string& name) const {
    ASSERT_TRUE(WriteSafetensors(Path(file), {{name, View()}}).ok());
  }

  static TensorView View() {
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    return {.dtype = DType::kFloat32,
            .shape = {2, 3},
            .data = {reinterpret_cast<const std::byte*>(values), sizeof(values)}};
  }

  static TensorView Other() {
    static const float values[6] = {6, 5, 4, 3, 2, 1};
    TensorView view = View();
    view.data = {reinterpret_cast<const std::byte*>(values), sizeof(values)};
    return view;
  }

  std::string OpenError(const std::string& path) const {
    return std::string(TensorMap::Open(path).status().message());
  }

  const base::TempFolder temp_;
  const std::filesystem::path folder_ = temp_.path();
};

TEST_F(TensorMapTest, ReadsBackWhatWasWritten) {
  ASSERT_TRUE(WriteSafetensors(Path("x.safetensors"), {{"b", View()}, {"a", View()}}).ok());
  const auto map = TensorMap::Open(Path("x.safetensors"));
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT((*map)->names(), ElementsAre("a", "b"));
  EXPECT_EQ((*map)->Find("c"), nullptr);
  const TensorView* const found = (*map)->Find("a");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->shape, View().shape);
  EXPECT_EQ(found->dtype, DType::kFloat32);
  EXPECT_EQ(found->data, View().data);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(found->data.data()) % 8, 0u);
}

TEST_F(TensorMapTest, OpensFolderWithOneFile) {
  WriteTensor("model.safetensors", "a");
  const auto map = TensorMap::Open(folder_);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT((*map)->names(), ElementsAre("a"));
}

TEST_F(TensorMapTest, OpensShards) {
  WriteTensor("one.safetensors", "a");
  WriteTensor("two.safetensors", "b");
  Write("model.safetensors.index.json",
        R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const auto map = TensorMap::Open(folder_);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT((*map)->names(), ElementsAre("a", "b"));
  EXPECT_EQ((*map)->FileOf(*(*map)->Find("a"))->path(), Path("one.safetensors"));
  EXPECT_EQ((*map)->FileOf(*(*map)->Find("b"))->path(), Path("two.safetensors"));
  EXPECT_EQ((*map)->bytes(), 48u);
}

TEST_F(TensorMapTest, RefusesShardsThatDoNotHoldWhatTheIndexSays) {
  WriteTensor("one.safetensors", "a");
  Write("model.safetensors.index.json", R"({"weight_map":{"b":"one.safetensors"}})");
  EXPECT_THAT(OpenError(folder_), HasSubstr("tensor \"b\" is not in one.safetensors"));
}

TEST_F(TensorMapTest, OfATensorInTwoShardsTheOneCountsThatTheIndexNames) {
  ASSERT_TRUE(WriteSafetensors(Path("one.safetensors"), {{"a", View()}, {"b", View()}}).ok());
  ASSERT_TRUE(WriteSafetensors(Path("two.safetensors"), {{"a", Other()}, {"c", View()}}).ok());
  for (const std::string shard : {"one.safetensors", "two.safetensors"}) {
    Write("model.safetensors.index.json",
          R"({"weight_map":{"b":"one.safetensors","c":"two.safetensors","a":")" + shard + R"("}})");
    const auto map = TensorMap::Open(folder_);
    ASSERT_TRUE(map.ok()) << map.status();
    EXPECT_EQ((*map)->Find("a")->data, (shard == "one.safetensors" ? View() : Other()).data);
    ASSERT_EQ((*map)->warnings().size(), 1u);
    EXPECT_THAT((*map)->warnings()[0], HasSubstr("those of " + shard + " are used"));
  }
}

TEST_F(TensorMapTest, OfATensorThatTheIndexDoesNotNameTheLastCounts) {
  ASSERT_TRUE(WriteSafetensors(Path("one.safetensors"), {{"a", View()}, {"b", View()}}).ok());
  ASSERT_TRUE(WriteSafetensors(Path("two.safetensors"), {{"a", Other()}, {"c", View()}}).ok());
  Write("model.safetensors.index.json",
        R"({"weight_map":{"b":"one.safetensors","c":"two.safetensors"}})");
  const auto map = TensorMap::Open(folder_);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*map)->Find("a")->data, Other().data);
}

TEST_F(TensorMapTest, TheSameTensorInTwoShardsIsNoMatter) {
  ASSERT_TRUE(WriteSafetensors(Path("one.safetensors"), {{"a", View()}}).ok());
  ASSERT_TRUE(WriteSafetensors(Path("two.safetensors"), {{"a", View()}, {"c", View()}}).ok());
  Write("model.safetensors.index.json",
        R"({"weight_map":{"a":"one.safetensors","c":"two.safetensors"}})");
  const auto map = TensorMap::Open(folder_);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_TRUE((*map)->warnings().empty());
}

TEST_F(TensorMapTest, AShardThatIsMissingIsNamedWithItsIndex) {
  Write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(OpenError(folder_), HasSubstr("model.safetensors.index.json: "));
  EXPECT_THAT(OpenError(folder_), HasSubstr("one.safetensors: No such file"));
}

TEST_F(TensorMapTest, RefusesIndexThatLeavesTheFolder) {
  Write("model.safetensors.index.json", R"({"weight_map":{"a":"../one.safetensors"}})");
  EXPECT_THAT(OpenError(folder_), HasSubstr("weight_map[\"a\"]: expected the name of a"));
}

TEST_F(TensorMapTest, RefusesBrokenIndex) {
  Write("model.safetensors.index.json", R"({"weight_map":)");
  EXPECT_THAT(OpenError(folder_), HasSubstr("at line 1, column 15"));
  Write("model.safetensors.index.json", R"({"weight_map":[]})");
  EXPECT_THAT(OpenError(folder_), HasSubstr("weight_map: expected an object"));
  Write("model.safetensors.index.json", R"({"metadata":1,"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(OpenError(folder_), HasSubstr("metadata: expected an object"));
  Write("model.safetensors.index.json", R"({"weight_map":{}})");
  EXPECT_THAT(OpenError(folder_), HasSubstr("expected 1 to 4096 shards, found 0"));
}

TEST_F(TensorMapTest, ErrorsNameThePath) {
  EXPECT_THAT(OpenError(Path("none")), HasSubstr(Path("none")));
  EXPECT_EQ(TensorMap::Open(Path("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenError(folder_), HasSubstr("expected model.safetensors or"));
  Write("empty.safetensors", "");
  EXPECT_THAT(OpenError(Path("empty.safetensors")),
              HasSubstr(Path("empty.safetensors") + ": file of 0 bytes"));
}

TEST_F(TensorMapTest, WriterRefusesBadTensors) {
  TensorView view = View();
  view.shape = {7};
  EXPECT_THAT(std::string(WriteSafetensors(Path("x"), {{"a", view}}).message()),
              HasSubstr("hold 24 bytes, but float32 [7] takes 28"));
  EXPECT_FALSE(WriteSafetensors(Path("x"), {{"a", View()}, {"a", View()}}).ok());
  EXPECT_FALSE(WriteSafetensors(Path("x"), {{"__metadata__", View()}}).ok());
  EXPECT_FALSE(WriteSafetensors(Path("x"), {{"\xff", View()}}).ok());
  EXPECT_FALSE(std::filesystem::exists(Path("x")));
}

}  // namespace
}  // namespace terminus::weights
