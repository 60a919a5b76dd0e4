#include "tools/cli/captions.h"

#include <fstream>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(TopKTest, BestFirstAndTiesInOrder) {
  const std::vector<std::vector<float>> candidates = {{0, 1}, {2, 0}, {1, 0}, {}, {-1, 0}, {1}};
  const std::vector<Ranked> top = TopK(std::vector<float>{1, 0}, candidates, 3);
  ASSERT_EQ(top.size(), 3u);
  EXPECT_EQ(top[0].index, 1u);
  EXPECT_FLOAT_EQ(top[0].score, 1);
  EXPECT_EQ(top[1].index, 2u);
  EXPECT_EQ(top[2].index, 0u);
  EXPECT_FLOAT_EQ(top[2].score, 0);
  EXPECT_EQ(TopK(std::vector<float>{1, 0}, candidates, 100).size(), 4u);
}

TEST(RecallTest, CountsTheFirstRightPicture) {
  // Unit vectors at growing angles from the query "near".
  const std::vector<std::vector<float>> images = {{1, 0}, {0.9f, 0.1f}, {0.5f, 0.5f}, {0, 1}};
  const std::vector<std::string> captions = {"near", "middle", "middle", "far"};
  const RecallReport report = MeasureRecall(
      captions, images, {{"near", {1, 0}}, {"middle", {0.9f, 0.1f}}, {"far", {1, 0}}});
  EXPECT_EQ(report.recall.captions, 3u);
  // "near" and "middle" find theirs first, "far" only at the end.
  EXPECT_DOUBLE_EQ(report.recall.at_1, 2.0 / 3);
  EXPECT_DOUBLE_EQ(report.recall.at_5, 1);
  EXPECT_DOUBLE_EQ(report.recall.median_rank, 1);
  ASSERT_EQ(report.outcomes.size(), 3u);
  EXPECT_EQ(report.outcomes[0].caption, "far");
  EXPECT_EQ(report.outcomes[0].rank, 4u);
  EXPECT_EQ(report.outcomes[0].first.index, 0u);
  // Of the two "middle", the nearest other picture of one is "near", of the other "middle".
  EXPECT_EQ(report.recall.paired_images, 2u);
  EXPECT_DOUBLE_EQ(report.recall.neighbour_agreement, 0.5);
}

TEST(RecallTest, PictureWithoutVectorIsNotCounted) {
  const RecallReport report = MeasureRecall({"a", "b"}, {{}, {1, 0}}, {{"a", {1, 0}}});
  EXPECT_EQ(report.recall.captions, 0u);
  EXPECT_EQ(report.recall.at_10, 0);
}

TEST(ChanceRecallTest, CountsSharedCaptions) {
  EXPECT_DOUBLE_EQ(ChanceRecall({"a", "b", "c", "d"}, 1), 0.25);
  EXPECT_DOUBLE_EQ(ChanceRecall({"a", "b", "c", "d"}, 2), 0.5);
  EXPECT_DOUBLE_EQ(ChanceRecall({"a", "a", "b", "b"}, 1), 0.5);
  EXPECT_DOUBLE_EQ(ChanceRecall({"a", "a", "b", "b"}, 10), 1);
  EXPECT_DOUBLE_EQ(ChanceRecall({}, 1), 0);
}

TEST(ReadCaptionsTest, ReadsAnObjectOfStrings) {
  const base::TempFolder folder;
  const std::string path = folder.Path("captions.json");
  std::ofstream(path) << R"({"a/b.png": "A cat.", "c.png": "A dog."})";
  EXPECT_THAT(ReadCaptions(path).value(),
              ElementsAre(Pair("a/b.png", "A cat."), Pair("c.png", "A dog.")));
  std::ofstream(path) << R"({"a.png": 3})";
  EXPECT_THAT(std::string(ReadCaptions(path).status().message()),
              AllOf(HasSubstr("a.png"), HasSubstr("number")));
  for (const char* bad : {"", "[1, 2]", "{"}) {
    std::ofstream(path) << bad;
    EXPECT_FALSE(ReadCaptions(path).ok()) << bad;
  }
}

}  // namespace
}  // namespace terminus::tools::cli
