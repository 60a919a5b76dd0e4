#include "models/catalog/catalog.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::catalog {
namespace {

using nlohmann::json;
using testing::HasSubstr;

absl::string_view TypeOf(const json& config, bool has_modules = false) {
  const auto family = FindFamily(config, has_modules);
  return family.ok() ? (*family)->type : "";
}

TEST(CatalogTest, FindsFamilies) {
  EXPECT_EQ(TypeOf({{"model_type", "bert"}}), "bert");
  EXPECT_EQ(TypeOf({{"model_type", "bert"}}, /*has_modules=*/true), "bert");
  EXPECT_EQ(TypeOf({{"model_type", "clip"}}), "clip");
  EXPECT_EQ(TypeOf({{"architecture", "tf_efficientnet_lite3.in1k"}}), "efficientnet_lite");
  EXPECT_EQ(TypeOf({{"architecture", "efficientnet_lite0"}}), "efficientnet_lite");
  EXPECT_EQ(TypeOf({{"model_type", "llama"}}), "llama");
}

// A Qwen3 encodes texts only with word of how to pool.
TEST(CatalogTest, ModulesTellEncodersFromLanguageModels) {
  const json qwen3 = {{"model_type", "qwen3"}};
  const auto encoder = FindFamily(qwen3, /*has_modules=*/true);
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_TRUE((*encoder)->text && !(*encoder)->generate);
  const auto language_model = FindFamily(qwen3, /*has_modules=*/false);
  ASSERT_TRUE(language_model.ok()) << language_model.status();
  EXPECT_TRUE((*language_model)->generate && !(*language_model)->text);
}

TEST(CatalogTest, RefusesOthers) {
  EXPECT_EQ(TypeOf({{"model_type", "efficientnet_lite"}}), "");
  EXPECT_EQ(TypeOf({{"architecture", "bert"}}), "");
  EXPECT_EQ(TypeOf({{"model_type", 3}}), "");
  EXPECT_EQ(TypeOf(json::array()), "");
  // A sentence-transformers folder is one of a text encoder.
  EXPECT_EQ(TypeOf({{"model_type", "llama"}}, /*has_modules=*/true), "");
  EXPECT_THAT(std::string(FindFamily({{"model_type", "mamba"}}, false).status().message()),
              HasSubstr("\"mamba\""));
}

TEST(CatalogTest, ListsEveryFamily) {
  for (const Family& family : Families()) {
    EXPECT_THAT(WhatCanBeServed(), HasSubstr(absl::StrCat("\"", family.type, "\"")));
    EXPECT_TRUE(family.text || family.image || family.generate) << family.type;
  }
  EXPECT_THAT(WhatCanBeServed(), HasSubstr("bundle.yaml"));
}

}  // namespace
}  // namespace terminus::models::catalog
