#include "common/weights/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"

namespace terminus::weights {
namespace {

using testing::HasSubstr;

constexpr size_t kMib = 1 << 20;

class MappedFileTest : public testing::Test {
 protected:
  std::shared_ptr<const MappedFile> Open(size_t bytes) {
    std::string content(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) {
      content[i] = static_cast<char>(i % 251);
    }
    std::ofstream(path_) << content;
    return *MappedFile::Open(path_);
  }

  static bool HoldsFrom(absl::Span<const std::byte> bytes, size_t offset) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] != static_cast<std::byte>((offset + i) % 251)) return false;
    }
    return true;
  }

  // Of files, in memory of this process.
  static int64_t ResidentMib() {
    std::ifstream status("/proc/self/status");
    for (std::string name; status >> name;) {
      if (int64_t kib = 0; name == "RssFile:" && status >> kib) return kib / 1024;
    }
    return -1;
  }

  const base::TempFolder folder_;
  const std::string path_ = folder_.Path("file");
};

TEST_F(MappedFileTest, WhatIsReleasedTakesNoMemoryAndCanBeReadAgain) {
  const auto file = Open(64 * kMib);
  ASSERT_TRUE(HoldsFrom(file->bytes(), 0));
  const int64_t all = ResidentMib();
  if (all < 64) GTEST_SKIP() << "the kernel does not count file pages: " << all << " MiB";
  const auto part = file->bytes().subspan(16 * kMib + 5, 32 * kMib);
  file->Release(part);
  EXPECT_NEAR(static_cast<double>(ResidentMib()), static_cast<double>(all - 32), 2);
  EXPECT_TRUE(HoldsFrom(part, 16 * kMib + 5));
  // At both ends of the file, and nothing at all.
  file->Release(file->bytes());
  file->Release(file->bytes().subspan(64 * kMib));
  EXPECT_LE(ResidentMib(), all - 62);
  EXPECT_TRUE(HoldsFrom(file->bytes(), 0));
}

TEST_F(MappedFileTest, ReadsWithoutTheMapping) {
  const auto file = Open(10 * kMib);
  std::vector<std::byte> read(3 * kMib + 1);
  ASSERT_TRUE(file->Read(7 * kMib - 1, absl::MakeSpan(read)).ok());
  EXPECT_TRUE(HoldsFrom(read, 7 * kMib - 1));
  EXPECT_TRUE(file->Read(10 * kMib, {}).ok());
  const absl::Status beyond = file->Read(7 * kMib, absl::MakeSpan(read));
  EXPECT_EQ(beyond.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(beyond.message()),
              HasSubstr(path_ + ": ends at byte 10485760, 1 before"));
}

TEST_F(MappedFileTest, AnyPartCanBeReadAhead) {
  const auto file = Open(9 * kMib + 7);
  const auto bytes = file->bytes();
  for (const auto& part :
       {bytes, bytes.subspan(bytes.size() - 1), bytes.subspan(bytes.size()), bytes.subspan(3, 0)}) {
    file->ReadAhead(part);
  }
  EXPECT_TRUE(HoldsFrom(bytes, 0));
}

}  // namespace
}  // namespace terminus::weights
