#include "tools/cli/image_files.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char kPng[] = "\x89PNG\r\n\x1a\n....";
const char kJpeg[] = "\xff\xd8\xff....";
const char kWebp[] = "RIFF....WEBP....";

class ImageFilesTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = folder_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }

  const base::TempFolder temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(ImageFilesTest, FindsByMagicNotByName) {
  Write("b.txt", kPng);
  Write("sub/a.JPG", kJpeg);
  Write("c", kWebp);
  Write("notes.txt", "RIFF is not enough");
  Write(".hidden/d.png", kPng);
  Write(".e.png", kPng);
  auto found = FindImages(folder_);
  ASSERT_TRUE(found.ok()) << found.status();
  std::vector<std::string> names;
  for (const ImageFile& image : found->images) {
    names.push_back(image.relative);
    EXPECT_GT(image.bytes, 0);
    EXPECT_GT(image.modified_ns, 0);
  }
  EXPECT_THAT(names, ElementsAre("b.txt", "c", "sub/a.JPG"));
  EXPECT_TRUE(found->failed.empty());
}

TEST_F(ImageFilesTest, FindsVideosOnlyWhenAsked) {
  Write("a.gif", "GIF89a and more");
  Write("b.txt", std::string("\0\0\0\x18"
                             "ftypisom",
                             12));
  Write("c.png", kPng);
  Write("d.mp4", "not a video");
  auto images = FindImages(folder_);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->images.size(), 1u);
  EXPECT_TRUE(images->failed.empty());
  auto both = FindImages(folder_, FileKinds::kImagesAndVideos);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->images.size(), 3u);
  ASSERT_EQ(both->failed.size(), 1u);
  EXPECT_EQ(both->failed[0].relative, "d.mp4");
  EXPECT_THAT(both->failed[0].reason, HasSubstr("MP4, WebM or GIF"));
}

TEST_F(ImageFilesTest, ListsWhatOnlyLooksLikeAnImage) {
  Write("empty.png", "");
  Write("text.jpeg", "hello");
  Write("fine.png", kPng);
  auto found = FindImages(folder_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->images.size(), 1u);
  ASSERT_EQ(found->failed.size(), 2u);
  EXPECT_EQ(found->failed[0].relative, "empty.png");
  EXPECT_EQ(found->failed[0].reason, "empty");
  EXPECT_THAT(found->failed[1].reason, HasSubstr("JPEG, PNG or WebP"));
}

TEST_F(ImageFilesTest, RefusesFilesNoMessageCouldCarry) {
  Write("huge.png", kPng);
  std::filesystem::resize_file(folder_ + "/huge.png", kMaxImageFileBytes + 1);
  auto found = FindImages(folder_);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->failed.size(), 1u);
  EXPECT_THAT(found->failed[0].reason, HasSubstr(std::to_string(kMaxImageFileBytes)));
}

TEST_F(ImageFilesTest, BoundsTheNumber) {
  Write("a.png", kPng);
  Write("b.png", kPng);
  EXPECT_EQ(FindImages(folder_, FileKinds::kImages, 1).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(FindImages(folder_, FileKinds::kImages, 2).ok());
}

TEST_F(ImageFilesTest, MissingFolderIsAnError) {
  EXPECT_EQ(FindImages(folder_ + "/nonesuch").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(StatImage(folder_).ok());
  EXPECT_FALSE(StatImage(folder_ + "/nonesuch.png").ok());
}

}  // namespace
}  // namespace terminus::tools::cli
