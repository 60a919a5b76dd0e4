#include "tools/cli/vector_index.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Pointee;

class VectorIndexTest : public testing::Test {
 protected:
  VectorIndexTest() { path_ = folder_ + "/below/space.bin"; }

  VectorIndex Load(size_t max = 100) { return VectorIndex::Load(path_, "space", max); }

  const base::TempFolder temp_;
  const std::string folder_ = temp_.path();
  std::string path_;
};

TEST_F(VectorIndexTest, ComesBackFromItsFile) {
  VectorIndex index = Load();
  EXPECT_EQ(index.Find(HashOf("a")), nullptr);
  index.Put(HashOf("a"), {1, 2, 3});
  index.Put(HashOf("b"), {4, 5, 6});
  index.PutFile(HashOf("/x/a.png 3 17"), HashOf("a"));
  ASSERT_TRUE(index.Save().ok());
  VectorIndex again = Load();
  EXPECT_EQ(again.size(), 2u);
  EXPECT_THAT(again.Find(HashOf("a")), Pointee(ElementsAre(1, 2, 3)));
  EXPECT_THAT(again.Find(HashOf("b")), Pointee(ElementsAre(4, 5, 6)));
  EXPECT_EQ(again.FindFile(HashOf("/x/a.png 3 17")), HashOf("a"));
  EXPECT_EQ(again.FindFile(HashOf("/x/a.png 3 18")), std::nullopt);
}

TEST_F(VectorIndexTest, OfAnotherSpaceIsNotUsed) {
  VectorIndex index = Load();
  index.Put(HashOf("a"), {1});
  ASSERT_TRUE(index.Save().ok());
  EXPECT_EQ(VectorIndex::Load(path_, "other", 100).size(), 0u);
}

TEST_F(VectorIndexTest, EveryDamagedByteIsNoticed) {
  VectorIndex index = Load();
  index.Put(HashOf("a"), {1, 2});
  index.PutFile(HashOf("f"), HashOf("a"));
  ASSERT_TRUE(index.Save().ok());
  const std::string good = base::ReadFile(path_, 1 << 20).value();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 0x40;
    std::ofstream(path_, std::ios::binary) << bad;
    EXPECT_EQ(Load().size(), 0u) << "byte " << i;
    std::ofstream(path_, std::ios::binary) << good.substr(0, i);
    EXPECT_EQ(Load().size(), 0u) << "cut to " << i;
  }
}

TEST_F(VectorIndexTest, DropsWhatWasNotUsedForTheLongest) {
  {
    VectorIndex index = Load(3);
    for (const char* name : {"a", "b", "c"}) {
      index.Put(HashOf(name), {1});
    }
    ASSERT_TRUE(index.Save().ok());
  }
  VectorIndex index = Load(3);
  ASSERT_NE(index.Find(HashOf("b")), nullptr);
  index.Put(HashOf("d"), {1});
  index.Put(HashOf("e"), {1});
  ASSERT_TRUE(index.Save().ok());
  VectorIndex again = Load(3);
  EXPECT_EQ(again.size(), 3u);
  for (const char* kept : {"b", "d", "e"}) {
    EXPECT_NE(again.Find(HashOf(kept)), nullptr) << kept;
  }
}

TEST_F(VectorIndexTest, TakesNoVectorOfAnotherDimension) {
  VectorIndex index = Load();
  index.Put(HashOf("a"), {1, 2});
  index.Put(HashOf("b"), {1, 2, 3});
  index.Put(HashOf("c"), {});
  EXPECT_EQ(index.size(), 1u);
}

}  // namespace
}  // namespace terminus::tools::cli
