#include "common/base/temp_folder.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace terminus::base {
namespace {

TEST(TempFolderTest, IsItsOwnersAloneAndGoesWithAllItHolds) {
  std::string path;
  {
    const TempFolder folder;
    const TempFolder other;
    path = folder.path();
    EXPECT_NE(path, other.path());
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    std::filesystem::create_directories(folder.Path("a/b"));
    std::ofstream(folder.Path("a/b/c")) << "x";
    EXPECT_TRUE(std::filesystem::exists(path + "/a/b/c"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace terminus::base
