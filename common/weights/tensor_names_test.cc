#include "common/weights/tensor_names.h"

#include <gtest/gtest.h>

namespace terminus::weights {
namespace {

constexpr absl::string_view kPrefixes[] = {"clip.", "text_model.", "text_model."};
constexpr Spelling kSpellings[] = {{"layers.", "encoder.layer.", /*at_start=*/true},
                                   {"mlp.fc1", "intermediate.dense"}};

std::string Named(absl::string_view name) {
  return ModelName(name, {.prefixes = kPrefixes, .spellings = kSpellings});
}

TEST(ModelNameTest, DropsPrefixesInTheirOrder) {
  EXPECT_EQ(Named("text_model.head.weight"), "head.weight");
  EXPECT_EQ(Named("clip.text_model.text_model.head.weight"), "head.weight");
  EXPECT_EQ(Named("head.text_model.weight"), "head.text_model.weight");
  EXPECT_EQ(Named("text_model.clip.weight"), "clip.weight");
}

TEST(ModelNameTest, ReplacesWholeWords) {
  EXPECT_EQ(Named("layers.3.mlp.fc1.bias"), "encoder.layer.3.intermediate.dense.bias");
  EXPECT_EQ(Named("layers.3.mlp.fc10.bias"), "encoder.layer.3.mlp.fc10.bias");
  EXPECT_EQ(Named("mlp.fc1"), "intermediate.dense");
  EXPECT_EQ(Named("decoder.layers.3.x"), "decoder.layers.3.x");
}

TEST(ModelNameTest, EveryFamilyHasLegacyNames) {
  EXPECT_EQ(ModelName("a.LayerNorm.gamma", {}), "a.LayerNorm.weight");
  EXPECT_EQ(ModelName("a.LayerNorm.beta", {}), "a.LayerNorm.bias");
  EXPECT_EQ(ModelName("a.gamma", {}), "a.gamma");
  EXPECT_EQ(ModelName("LayerNorm.gamma_1", {}), "LayerNorm.gamma_1");
}

}  // namespace
}  // namespace terminus::weights
