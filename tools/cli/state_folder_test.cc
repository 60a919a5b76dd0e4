#include "tools/cli/state_folder.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class StateFolderTest : public testing::Test {
 protected:
  const base::TempFolder temp_;
  const std::string root_ = temp_.path();
};

TEST_F(StateFolderTest, IsForItsOwnerAlone) {
  const StateFolder folder(root_ + "/a/b");
  ASSERT_TRUE(folder.Create().ok());
  struct stat info;
  ASSERT_EQ(stat(folder.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(StateFolderTest, FolderThatCannotBeMadeNamesTheFlag) {
  std::ofstream(root_ + "/file") << "x";
  const absl::Status status = StateFolder(root_ + "/file/below").Create();
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("file/below"), HasSubstr("--state")));
}

TEST_F(StateFolderTest, RefusesSocketPathsThatUnixDoesNotTake) {
  // "unix:" + path + "/text-0.sock", of which the path may have 107 bytes.
  const StateFolder fits("/" + std::string(107 - 1 - 12, 'a'));
  EXPECT_TRUE(fits.SocketAddress("text-0").ok());
  const StateFolder longer("/" + std::string(107 - 12, 'a'));
  const absl::Status status = longer.SocketAddress("text-0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("108"), HasSubstr("107"), HasSubstr("--state")));
}

TEST_F(StateFolderTest, OnlyOneHoldsTheLock) {
  const StateFolder folder(root_);
  EXPECT_EQ(folder.Holder(), std::nullopt);
  {
    auto lock = StateLock::Take(folder);
    ASSERT_TRUE(lock.ok()) << lock.status();
    ASSERT_TRUE(lock->WritePid().ok());
    EXPECT_EQ(folder.Holder(), getpid());
    const absl::Status second = StateLock::Take(folder).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.message()),
                AllOf(HasSubstr("terminus down"), HasSubstr(std::to_string(getpid()))));
  }
  EXPECT_EQ(folder.Holder(), std::nullopt);
  EXPECT_TRUE(StateLock::Take(folder).ok());
}

TEST_F(StateFolderTest, RecordComesBackWhileTheClusterLives) {
  const StateFolder folder(root_);
  const ClusterRecord record{.supervisor = getpid(),
                             .address = "127.0.0.1:8500",
                             .processes = {{.name = "text-0",
                                            .service = "text",
                                            .address = "unix:/x",
                                            .log_path = "/log",
                                            .state = ProcessState::kRunning,
                                            .pid = 42,
                                            .restarts = 3,
                                            .last_exit = "killed by SIGKILL"}}};
  ASSERT_TRUE(WriteRecord(folder, record).ok());
  EXPECT_EQ(ReadRecord(folder).status().code(), absl::StatusCode::kNotFound);
  auto lock = StateLock::Take(folder);
  ASSERT_TRUE(lock.ok() && lock->WritePid().ok());
  auto read = ReadRecord(folder);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->supervisor, record.supervisor);
  EXPECT_EQ(read->address, record.address);
  EXPECT_EQ(read->processes, record.processes);
}

TEST_F(StateFolderTest, BrokenRecordIsAnError) {
  const StateFolder folder(root_);
  auto lock = StateLock::Take(folder);
  ASSERT_TRUE(lock.ok() && lock->WritePid().ok());
  std::ofstream(folder.RecordPath()) << "{\"supervisor\": \"no number\"";
  EXPECT_EQ(ReadRecord(folder).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StateFolderTest, DefaultFollowsTheEnvironment) {
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  EXPECT_EQ(StateFolder::DefaultPath(), "/run/user/7/terminus");
  unsetenv("XDG_RUNTIME_DIR");
  setenv("TERMINUS_HOME", "/home/x/terminus", 1);
  EXPECT_EQ(StateFolder::DefaultPath(), "/home/x/terminus/run");
  unsetenv("TERMINUS_HOME");
}

}  // namespace
}  // namespace terminus::tools::cli
