#include "tools/cli/gallery.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/fake_cluster.h"
#include "tools/cli/test_images.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class GalleryTest : public testing::Test {
 protected:
  GalleryTest() {
    std::filesystem::create_directories(root_ + "/photos");
    Write("a.jpg", MakeTestJpeg(8, 8, 10));
    Write("b.jpg", MakeTestJpeg(8, 8, 200));
    options_ = {.index_folder = root_ + "/index", .show_progress = false};
  }

  void Write(const std::string& name, const std::string& content) {
    std::ofstream(root_ + "/photos/" + name, std::ios::binary) << content;
  }

  absl::StatusOr<Gallery> Embed() {
    const Client client("fake", absl::Seconds(10), cluster_.channel());
    return EmbedFolder(client, root_ + "/photos", options_);
  }

  const base::TempFolder temp_;
  const std::string root_ = temp_.path();
  FakeCluster cluster_;
  GalleryOptions options_;
};

TEST_F(GalleryTest, VideosWhereTheClusterTakesThem) {
  Write("c.gif", "GIF89a and more");
  EXPECT_EQ(Embed()->images.size(), 2u);
  cluster_.serves_video = true;
  cluster_.answer = [](const v1::Content& content, int64_t) {
    EXPECT_TRUE(content.has_video());
    return FakeCluster::Vector(content);
  };
  const auto all = Embed();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->images.size(), 3u);
  EXPECT_EQ(all->computed, 1u);
}

TEST_F(GalleryTest, SecondTimeAsksForNothing) {
  auto first = Embed();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->images.size(), 2u);
  EXPECT_EQ(first->computed, 2u);
  auto second = Embed();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->computed, 0u);
  EXPECT_EQ(second->vectors, first->vectors);
  EXPECT_EQ(cluster_.embedded(), 2);
}

TEST_F(GalleryTest, OnlyWhatIsNewIsSent) {
  ASSERT_TRUE(Embed().ok());
  // One content under another name is known, another content under a known name is not.
  std::filesystem::copy_file(root_ + "/photos/a.jpg", root_ + "/photos/c.jpg");
  Write("b.jpg", MakeTestJpeg(16, 8, 100));
  auto gallery = Embed();
  ASSERT_TRUE(gallery.ok()) << gallery.status();
  EXPECT_EQ(gallery->computed, 1u);
  EXPECT_EQ(gallery->images.size(), 3u);
  EXPECT_EQ(gallery->vectors[0], gallery->vectors[2]);
  EXPECT_EQ(cluster_.embedded(), 3);
}

TEST_F(GalleryTest, AnotherSpaceStartsAnew) {
  ASSERT_TRUE(Embed().ok());
  cluster_.space_id = "ffff";
  auto gallery = Embed();
  ASSERT_TRUE(gallery.ok()) << gallery.status();
  EXPECT_EQ(gallery->computed, 2u);
}

TEST_F(GalleryTest, KeepsVectorsOfFewSpaces) {
  options_.max_spaces = 2;
  for (const char* space : {"1", "2", "3", "4"}) {
    cluster_.space_id = space;
    ASSERT_TRUE(Embed().ok());
  }
  const std::filesystem::directory_iterator files(options_.index_folder);
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
}

TEST_F(GalleryTest, SpaceIdNeverEscapesTheFolder) {
  cluster_.space_id = "../../evil";
  ASSERT_TRUE(Embed().ok());
  EXPECT_FALSE(std::filesystem::exists(root_ + "/../evil.bin"));
  EXPECT_FALSE(std::filesystem::exists(options_.index_folder));
}

TEST_F(GalleryTest, WithoutAnIndexNothingIsKept) {
  options_.index_folder.clear();
  ASSERT_TRUE(Embed().ok());
  EXPECT_EQ(Embed()->computed, 2u);
}

TEST_F(GalleryTest, BrokenImagesAreListed) {
  Write("broken.jpg", "\xff\xd8\xff not really");
  Write("empty.png", "");
  cluster_.answer = [](const v1::Content& content, int64_t) {
    if (content.image().size() > 100) {
      return FakeCluster::Vector(content);
    }
    v1::EmbedResult result;
    result.mutable_status()->set_code(3);
    result.mutable_status()->set_message("cannot be decoded");
    return result;
  };
  auto gallery = Embed();
  ASSERT_TRUE(gallery.ok()) << gallery.status();
  EXPECT_EQ(gallery->images.size(), 2u);
  ASSERT_EQ(gallery->failed.size(), 2u);
  EXPECT_EQ(gallery->failed[0].relative, "broken.jpg");
  EXPECT_EQ(gallery->failed[0].reason, "cannot be decoded");
  EXPECT_EQ(gallery->failed[1].relative, "empty.png");
}

TEST_F(GalleryTest, TextsKeepTheirOrder) {
  const Client client("fake", absl::Seconds(10), cluster_.channel());
  auto vectors = EmbedTexts(client, {"aa", "a", "bbb"}, options_);
  ASSERT_TRUE(vectors.ok()) << vectors.status();
  EXPECT_EQ((*vectors)[0], (std::vector<float>{2, 2}));
  EXPECT_EQ((*vectors)[2], (std::vector<float>{3, 0}));
}

TEST(ClientTest, SaysWhatToDoWhenNobodyAnswers) {
  Globals globals;
  globals.address = "unix:/nonesuch/router.sock";
  const absl::Status status = Client(globals).GetStatus().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("unix:/nonesuch/router.sock"), HasSubstr("terminus up")));
}

}  // namespace
}  // namespace terminus::tools::cli
