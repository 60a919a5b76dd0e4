#include "models/checkpoint/weights.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "common/weights/safetensors_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::checkpoint {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(WeightsTest, ViewsOutliveTheLoader) {
  base::TempFolder folder;
  ASSERT_TRUE(WriteFakeWeights(folder.path() + "/model.safetensors",
                               nlohmann::json::parse(R"([["a.weight", [3, 5]], ["a.bias", [3]]])"))
                  .ok());
  at::Tensor weight;
  {
    auto weights = Weights::Open(folder.path(), at::kCPU);
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_TRUE(weights->Has("a.bias"));
    EXPECT_FALSE(weights->Has("b.bias"));
    weight = weights->Get("a.weight", {3, 5});
    EXPECT_TRUE(weights->Finish().ok());
  }
  const std::vector<float> expected = FakeTensor("a.weight", {3, 5});
  EXPECT_TRUE(weight.equal(at::tensor(expected).view({3, 5})));
}

TEST(WeightsTest, ConvertsHalfPrecision) {
  base::TempFolder folder;
  const uint16_t half[] = {0x3c00, 0xc000};      // 1, -2
  const uint16_t bfloat16[] = {0x3f80, 0xc000};  // 1, -2
  const auto view = [](weights::DType dtype, const uint16_t* data) {
    return weights::TensorView{
        .dtype = dtype,
        .shape = {2},
        .data = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data), 4)};
  };
  ASSERT_TRUE(weights::WriteSafetensors(folder.path() + "/model.safetensors",
                                        {{"half", view(weights::DType::kFloat16, half)},
                                         {"brain", view(weights::DType::kBFloat16, bfloat16)},
                                         {"ints", view(weights::DType::kInt16, half)}})
                  .ok());
  auto weights = Weights::Open(folder.path(), at::kCPU);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const at::Tensor expected = at::tensor({1.0f, -2.0f});
  EXPECT_TRUE(weights->Get("half", {2}).equal(expected));
  EXPECT_TRUE(weights->Get("brain", {2}).equal(expected));
  EXPECT_TRUE(weights->Finish().ok());
  weights->Get("ints", {2});
  EXPECT_THAT(std::string(weights->Finish().message()), HasSubstr("int16"));
}

TEST(WeightsTest, ListsAllThatIsWrong) {
  base::TempFolder folder;
  ASSERT_TRUE(WriteFakeWeights(folder.path() + "/model.safetensors",
                               nlohmann::json::parse(R"([["a.weight", [3, 5]]])"))
                  .ok());
  auto weights = Weights::Open(folder.path(), at::kCPU);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->Get("a.weight", {5, 3}).sizes(), at::IntArrayRef({5, 3}));
  EXPECT_EQ(weights->Get("b.weight", {2}).sizes(), at::IntArrayRef({2}));
  EXPECT_THAT(std::string(weights->Finish().message()),
              AllOf(HasSubstr("a.weight"), HasSubstr("[3, 5]"), HasSubstr("[5, 3]"),
                    HasSubstr("b.weight")));
}

TEST(WeightsTest, RoundsDoublesToFloats) {
  base::TempFolder folder;
  const double values[] = {1.0 / 3, 1e-50, -2.5};
  ASSERT_TRUE(weights::WriteSafetensors(
                  folder.path() + "/model.safetensors",
                  {{"a",
                    {.dtype = weights::DType::kFloat64,
                     .shape = {3},
                     .data = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(values), 24)}}})
                  .ok());
  auto weights = Weights::Open(folder.path(), at::kCPU);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->TypeOf("a"), at::kFloat);
  EXPECT_TRUE(weights->GetAsStored("a", {3}).equal(at::tensor({1.0f / 3, 0.0f, -2.5f})));
  EXPECT_TRUE(weights->Finish().ok());
}

TEST(WeightsTest, OnMetaAllIsCheckedAndNothingRead) {
  base::TempFolder folder;
  const auto tensors = nlohmann::json::parse(R"([["x.a.weight", [3, 5]], ["x.b", [2]]])");
  ASSERT_TRUE(WriteFakeWeights(folder.path() + "/model.safetensors", tensors).ok());
  constexpr absl::string_view kPrefixes[] = {"x."};
  auto weights = Weights::Open(folder.path(), at::kMeta, {.prefixes = kPrefixes});
  ASSERT_TRUE(weights.ok()) << weights.status();
  const at::Tensor weight = weights->Get("a.weight", {3, 5});
  EXPECT_TRUE(weight.is_meta());
  EXPECT_EQ(weight.sizes(), at::IntArrayRef({3, 5}));
  EXPECT_TRUE(weights->Get("b", {1 << 30, 1 << 20}).is_meta());
  EXPECT_THAT(std::string(weights->Finish().message()),
              AllOf(HasSubstr("1 of 2 tensors"), HasSubstr("x.b: expected float32 [1073741824,")));
}

TEST(WeightsTest, SlicesAreTheElementsThatWereAskedFor) {
  base::TempFolder folder;
  const auto tensors = nlohmann::json::parse(R"([["a", [6, 5]], ["b", [4]]])");
  ASSERT_TRUE(WriteFakeWeights(folder.path() + "/wide.safetensors", tensors).ok());
  ASSERT_TRUE(WriteFakeBFloat16(folder.path() + "/narrow.safetensors", tensors).ok());
  for (const char* file : {"/wide.safetensors", "/narrow.safetensors"}) {
    SCOPED_TRACE(file);
    auto weights = Weights::Open(folder.path() + file, at::kCPU);
    ASSERT_TRUE(weights.ok()) << weights.status();
    const at::Tensor whole = weights->GetAsStored("a", {6, 5});
    const auto bytes = static_cast<int64_t>(whole.element_size());
    EXPECT_EQ(weights->bytes_asked(), 30 * bytes);
    const at::Tensor rows = weights->GetAsStored("a", {6, 5}, Slice{0, 2, 5});
    EXPECT_TRUE(rows.equal(whole.narrow(0, 2, 3)));
    EXPECT_EQ(weights->bytes_asked(), 45 * bytes);
    const at::Tensor columns = weights->GetAsStored("a", {6, 5}, Slice{1, 3, 5});
    EXPECT_TRUE(columns.equal(whole.narrow(1, 3, 2)));
    EXPECT_TRUE(columns.is_contiguous());
    EXPECT_EQ(weights->bytes_asked(), 57 * bytes);
    EXPECT_TRUE(
        weights->Get("b", {4}, Slice{0, 3, 4}).equal(weights->Get("b", {4}).narrow(0, 3, 1)));
    EXPECT_EQ(weights->bytes_asked(), 62 * bytes);
    EXPECT_TRUE(weights->Finish().ok());
    // The shape that is checked is the whole tensor's. What is missing is not counted.
    EXPECT_EQ(weights->GetAsStored("a", {6, 4}, Slice{1, 0, 2}).sizes(), at::IntArrayRef({6, 2}));
    EXPECT_EQ(weights->GetAsStored("c", {6, 4}, Slice{0, 0, 2}).sizes(), at::IntArrayRef({2, 4}));
    EXPECT_EQ(weights->bytes_asked(), 62 * bytes);
    EXPECT_THAT(
        std::string(weights->Finish().message()),
        AllOf(HasSubstr("[6, 4], file has"), HasSubstr("[6, 5]"), HasSubstr("c: expected")));
  }
}

// A rank's rows are not copied: they lie in the file's mapping, as the whole tensor does.
TEST(WeightsTest, SlicesOfRowsAreViewsOfTheFile) {
  base::TempFolder folder;
  const auto tensors = nlohmann::json::parse(R"([["a", [6, 5]]])");
  ASSERT_TRUE(WriteFakeWeights(folder.path() + "/model.safetensors", tensors).ok());
  auto weights = Weights::Open(folder.path(), at::kCPU);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const at::Tensor whole = weights->Get("a", {6, 5});
  const at::Tensor rows = weights->Get("a", {6, 5}, Slice{0, 2, 4});
  EXPECT_EQ(rows.const_data_ptr<float>(), whole.const_data_ptr<float>() + 10);
}

TEST(WeightsTest, SlicesOnMetaHaveTheirShapes) {
  base::TempFolder folder;
  const auto tensors = nlohmann::json::parse(R"([["a", [6, 5]]])");
  ASSERT_TRUE(WriteFakeWeights(folder.path() + "/model.safetensors", tensors).ok());
  auto weights = Weights::Open(folder.path(), at::kMeta);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const at::Tensor columns = weights->Get("a", {6, 5}, Slice{1, 3, 5});
  EXPECT_TRUE(columns.is_meta());
  EXPECT_EQ(columns.sizes(), at::IntArrayRef({6, 2}));
  EXPECT_EQ(weights->bytes_asked(), 48);
}

// The folders of tests/golden/weights/shards.json.
class ShardsTest : public testing::Test {
 protected:
  static constexpr const char* kIndex = "/model.safetensors.index.json";

  void Write(const nlohmann::json& test_case) {
    WriteTestFile(folder_.path() + kIndex, test_case["index"].dump());
    for (const auto& [file, made] : test_case["files"].items()) {
      nlohmann::json tensors = nlohmann::json::array();
      for (const auto& [name, source] : made.items()) {
        tensors.push_back({name, golden_["shapes"][name], source});
      }
      ASSERT_TRUE(WriteFakeWeights(folder_.path() + "/" + file, tensors).ok());
    }
  }

  // Whose values a tensor has: its own name's, or another's.
  std::string SourceOf(Weights& weights, const std::string& name) {
    const auto shape = golden_["shapes"][name].get<std::vector<int64_t>>();
    const at::Tensor values = weights.Get(name, shape);
    for (const std::string& source : {name, std::string("other")}) {
      if (values.equal(at::tensor(FakeTensor(source, shape)).view(shape))) return source;
    }
    return "";
  }

  const nlohmann::json golden_ = ReadWeightGolden("shards");
  const base::TempFolder folder_;
};

TEST_F(ShardsTest, AreReadAsTransformersReadsThem) {
  for (const nlohmann::json& test_case : golden_["cases"]) {
    const auto name = test_case["name"].get<std::string>();
    SCOPED_TRACE(name);
    std::filesystem::remove_all(folder_.path());
    Write(test_case);
    settings::Collector collector;
    auto weights = Weights::Open(folder_.path(), at::kCPU);
    if (name == "no metadata") {
      EXPECT_TRUE(weights.ok()) << "transformers fails, though it needs nothing of it";
      continue;
    }
    // transformers does not look at the map, which contradicts the files.
    const bool refused = !test_case["loads"].get<bool>() || name == "in the other file";
    EXPECT_EQ(weights.ok(), !refused) << weights.status();
    if (refused) continue;
    // The map decides; a warning says that transformers reads the other.
    const bool differs = name == "twice, the first is named";
    EXPECT_EQ(absl::StrContains(absl::StrJoin(collector.warnings(), "\n"), "transformers"),
              differs);
    for (const auto& [tensor, shape] : golden_["shapes"].items()) {
      EXPECT_EQ(SourceOf(*weights, tensor),
                differs ? tensor : test_case["others"].value(tensor, tensor));
    }
  }
}

}  // namespace
}  // namespace terminus::models::checkpoint
