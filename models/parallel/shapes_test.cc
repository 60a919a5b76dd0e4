#include "models/parallel/shapes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/decoder/lm_options.h"
#include "models/decoder/memory_plan.h"

namespace terminus::models::parallel {
namespace {

// The parameters that the models are published with.
TEST(Shapes, HaveTheirParameters) {
  const auto parameters = [](const char* name) {
    return decoder::NeedOf(*ShapeByName(name), decoder::ResolveSizes({}, /*gpu=*/true), 1).weights;
  };
  EXPECT_EQ(parameters("8b"), 8'030'261'248);
  EXPECT_EQ(parameters("70b"), 70'553'706'496);
  EXPECT_EQ(parameters("405b"), 405'853'388'800);
}

TEST(Shapes, AnUnknownNameIsToldWhichThereAre) {
  const auto shape = ShapeByName("7b");
  EXPECT_EQ(shape.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(shape.status().message()),
              testing::AllOf(testing::HasSubstr("\"7b\""), testing::HasSubstr("\"405b\"")));
}

}  // namespace
}  // namespace terminus::models::parallel
