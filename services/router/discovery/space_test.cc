#include "services/router/discovery/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::services::router::discovery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::DescribeResponse Description(v1::Modality modality, const std::string& space) {
  v1::DescribeResponse description;
  description.set_protocol(kEncoderProtocol);
  description.set_modality(modality);
  description.set_space_id(space);
  description.set_dimension(384);
  description.set_model(modality == v1::MODALITY_TEXT ? "text-name" : "vision-name");
  if (modality == v1::MODALITY_TEXT) {
    description.set_max_tokens(256);
    description.add_prompts("query");
  }
  return description;
}

TEST(SpaceTest, Kind) {
  v1::DescribeResponse text = Description(v1::MODALITY_TEXT, "a");
  EXPECT_TRUE(CheckKind(text, v1::MODALITY_TEXT).ok());
  EXPECT_FALSE(CheckKind(text, v1::MODALITY_IMAGE).ok());
  text.set_protocol(kEncoderProtocol + 1);
  EXPECT_FALSE(CheckKind(text, v1::MODALITY_TEXT).ok());
}

TEST(SpaceTest, NoSpace) {
  EXPECT_FALSE(CheckKind(Description(v1::MODALITY_TEXT, ""), v1::MODALITY_TEXT).ok());
}

TEST(SpaceTest, OnlyADecoderMayMakeNoVectors) {
  v1::DescribeResponse text = Description(v1::MODALITY_TEXT, "a");
  text.set_dimension(0);
  EXPECT_FALSE(CheckKind(text, v1::MODALITY_TEXT).ok());
  v1::DescribeResponse decoder = Description(v1::MODALITY_UNSPECIFIED, "a");
  decoder.set_dimension(0);
  EXPECT_TRUE(CheckKind(decoder, v1::MODALITY_UNSPECIFIED).ok());
  EXPECT_TRUE(CheckSpace(decoder, {.space_id = "a", .dimension = 0}).ok());
}

TEST(SpaceTest, AnotherSpaceIsNamedBesideOurs) {
  const dispatch::ServedModel served = {.space_id = "ours", .dimension = 384};
  EXPECT_TRUE(CheckSpace(Description(v1::MODALITY_IMAGE, "ours"), served).ok());
  const absl::Status refused = CheckSpace(Description(v1::MODALITY_IMAGE, "theirs"), served);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("ours"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("theirs"));
  EXPECT_FALSE(
      CheckSpace(Description(v1::MODALITY_IMAGE, "ours"), {.space_id = "ours", .dimension = 512})
          .ok());
}

TEST(SpaceTest, TextKnowsTheModelBest) {
  const auto vision = Merge(Description(v1::MODALITY_IMAGE, "a"), {});
  EXPECT_EQ(vision.name, "vision-name");
  EXPECT_EQ(vision.max_tokens, 0);
  const auto both = Merge(Description(v1::MODALITY_TEXT, "a"), vision);
  EXPECT_EQ(both.name, "text-name");
  EXPECT_EQ(both.max_tokens, 256);
  EXPECT_THAT(both.prompts, ElementsAre("query"));
  const auto again = Merge(Description(v1::MODALITY_IMAGE, "a"), both);
  EXPECT_EQ(again.name, "text-name");
  EXPECT_EQ(again.max_tokens, 256);
}

TEST(SpaceTest, NewSpaceForgetsTheOldModel) {
  const auto old = Merge(Description(v1::MODALITY_TEXT, "a"), {});
  const auto fresh = Merge(Description(v1::MODALITY_IMAGE, "b"), old);
  EXPECT_EQ(fresh.name, "vision-name");
  EXPECT_EQ(fresh.max_tokens, 0);
}

TEST(SpaceTest, VideoKnowsItsFrames) {
  v1::DescribeResponse video = Description(v1::MODALITY_VIDEO, "a");
  video.set_default_frames(8);
  const auto known = Merge(video, Merge(Description(v1::MODALITY_TEXT, "a"), {}));
  EXPECT_EQ(known.default_frames, 8);
  EXPECT_EQ(known.name, "text-name");
  EXPECT_EQ(Merge(Description(v1::MODALITY_IMAGE, "a"), known).default_frames, 8);
}

}  // namespace
}  // namespace terminus::services::router::discovery
