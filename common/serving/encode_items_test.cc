#include "common/serving/encode_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tensor/tensor.h"

namespace terminus::serving {
namespace {

using ::testing::ElementsAre;

PreparedItem Clip(std::vector<int64_t> frame_us, bool per_frame) {
  PreparedItem item;
  item.frame_us = std::move(frame_us);
  item.per_frame = per_frame;
  return item;
}

TEST(FillResponseTest, FramesGoToTheClipsThatAskedForThem) {
  std::vector<PreparedItem> items = {Clip({0}, false), {}, Clip({10, 20}, true), Clip({30}, true)};
  items[1].status = absl::InvalidArgumentError("broken");
  const executor::Embeddings embeddings{.count = 3,
                                        .dimension = 2,
                                        .values = {1, 2, 3, 4, 5, 6},
                                        .frame_values = {11, 12, 13, 14, 15, 16, 17, 18}};
  v1::EncodeBatchResponse response;
  FillResponse(items, embeddings, &response);
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_FALSE(response.results(0).has_frames());
  EXPECT_EQ(response.results(0).frame_us_size(), 0);
  EXPECT_NE(response.results(1).status().code(), 0);
  const v1::EncodeResult& third = response.results(2);
  EXPECT_THAT(*tensor::ToFloats(third.vector()), ElementsAre(3, 4));
  EXPECT_THAT(third.frames().shape(), ElementsAre(2, 2));
  EXPECT_THAT(*tensor::ToFloats(third.frames()), ElementsAre(13, 14, 15, 16));
  EXPECT_THAT(third.frame_us(), ElementsAre(10, 20));
  EXPECT_THAT(response.results(3).frames().shape(), ElementsAre(1, 2));
  EXPECT_THAT(*tensor::ToFloats(response.results(3).frames()), ElementsAre(17, 18));
}

TEST(FillResponseTest, FailureOfTheBatchIsEachItems) {
  v1::EncodeBatchResponse response;
  FillResponse(std::vector<PreparedItem>{Clip({0}, true), {}}, absl::InternalError("lost"),
               &response);
  EXPECT_EQ(response.results(0).status().code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_FALSE(response.results(0).has_frames());
  EXPECT_EQ(response.results(1).status().message(), "lost");
}

}  // namespace
}  // namespace terminus::serving
