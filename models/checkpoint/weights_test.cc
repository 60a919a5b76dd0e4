#include "models/checkpoint/weights.h"

#include "common/base/temp_folder.h"
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

}  // namespace
}  // namespace terminus::models::checkpoint
