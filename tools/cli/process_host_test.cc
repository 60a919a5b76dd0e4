#include "tools/cli/process_host.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class ProcessHostTest : public testing::Test {
 protected:
  ProcessSpec Shell(const std::string& script) {
    return {.name = "shell",
            .arguments = {"/bin/sh", "-c", script},
            .log_path = folder_ + "/shell.log"};
  }

  // Waits for the child's end, as long as it takes.
  static int WaitFor(pid_t pid) {
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return status;
  }

  std::string Log() { return base::ReadFile(folder_ + "/shell.log", 1 << 20).value_or("?"); }

  const base::TempFolder temp_;
  const std::string folder_ = temp_.path();
  RealProcessHost host_;
};

TEST_F(ProcessHostTest, AppendsBothOutputsToTheLog) {
  for (int i = 0; i < 2; ++i) {
    auto pid = host_.Start(Shell("echo out; echo err >&2"));
    ASSERT_TRUE(pid.ok()) << pid.status();
    EXPECT_EQ(WaitFor(*pid), 0);
  }
  EXPECT_THAT(Log(), MatchesRegex("---[^\n]*\nout\nerr\n---[^\n]*\nout\nerr\n"));
}

TEST_F(ProcessHostTest, AddsToTheEnvironmentButNeverReplaces) {
  setenv("TERMINUS_TEST_OURS", "ours", 1);
  ProcessSpec spec = Shell("echo $TERMINUS_TEST_OURS $TERMINUS_TEST_NEW");
  spec.environment = {"TERMINUS_TEST_OURS=replaced", "TERMINUS_TEST_NEW=new"};
  auto pid = host_.Start(spec);
  ASSERT_TRUE(pid.ok()) << pid.status();
  WaitFor(*pid);
  EXPECT_THAT(Log(), EndsWith("\nours new\n"));
}

TEST_F(ProcessHostTest, RunsInItsOwnGroupWithSignalsUnblocked) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto pid = host_.Start(Shell("exec sleep 600"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_EQ(getpgid(*pid), *pid);
  EXPECT_EQ(host_.Reap(*pid), std::nullopt);
  host_.Signal(*pid, SIGTERM);
  EXPECT_EQ(DescribeWaitStatus(WaitFor(*pid)), "killed by SIGTERM");
}

TEST_F(ProcessHostTest, ReapTellsHowItEnded) {
  auto pid = host_.Start(Shell("exit 3"));
  ASSERT_TRUE(pid.ok()) << pid.status();
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, *pid, &info, WEXITED | WNOWAIT), 0);
  const std::optional<int> status = host_.Reap(*pid);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(DescribeWaitStatus(*status), "exited with 3");
}

TEST_F(ProcessHostTest, MissingExecutableIsAnError) {
  ProcessSpec spec = Shell("");
  spec.arguments = {folder_ + "/nonesuch"};
  auto pid = host_.Start(spec);
  EXPECT_EQ(pid.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(pid.status().message()), HasSubstr("nonesuch"));
}

TEST_F(ProcessHostTest, ChildDiesWithItsSupervisor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    auto pid = host_.Start(Shell("exec sleep 600"));
    const pid_t child = pid.value_or(0);
    (void)!write(ends[1], &child, sizeof(child));
    raise(SIGKILL);
  }
  close(ends[1]);
  pid_t child = 0;
  ASSERT_EQ(read(ends[0], &child, sizeof(child)), static_cast<ssize_t>(sizeof(child)));
  close(ends[0]);
  ASSERT_GT(child, 0);
  WaitFor(supervisor);
  // The signal is on its way once the parent is gone; what is left is a zombie or nothing.
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (true) {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string line;
    if (!std::getline(stat, line) || line.find(") Z ") != std::string::npos) {
      break;
    }
    ASSERT_LT(absl::Now(), deadline) << "still alive: " << line;
    std::this_thread::yield();
  }
}

TEST_F(ProcessHostTest, RotatesLargeLogsWhileTheyAreWritten) {
  const std::string path = folder_ + "/log";
  std::ofstream log(path, std::ios::app);
  log << std::string(100, 'a') << std::flush;
  ASSERT_TRUE(RotateLog(path, 100).ok());
  EXPECT_FALSE(std::filesystem::exists(path + ".1"));
  log << "b" << std::flush;
  ASSERT_TRUE(RotateLog(path, 100).ok());
  log << "new" << std::flush;
  EXPECT_EQ(base::ReadFile(path, 1000).value(), "new");
  EXPECT_EQ(base::ReadFile(path + ".1", 1000).value(), std::string(100, 'a') + "b");
}

TEST_F(ProcessHostTest, TailIsTheLastLines) {
  const std::string path = folder_ + "/log";
  std::ofstream(path) << std::string(20'000, 'x') << "\none\ntwo\nthree\n";
  EXPECT_EQ(TailOfLog(path, 2), "two\nthree");
  EXPECT_THAT(TailOfLog(path, 100), HasSubstr("one\ntwo\nthree"));
  EXPECT_LE(TailOfLog(path, 100).size(), 8192u);
  EXPECT_EQ(TailOfLog(folder_ + "/nonesuch", 2), "");
}

TEST_F(ProcessHostTest, TailIsOfTheLastStart) {
  for (const char* script : {"echo first", "echo second; echo third"}) {
    auto pid = host_.Start(Shell(script));
    ASSERT_TRUE(pid.ok()) << pid.status();
    WaitFor(*pid);
  }
  EXPECT_EQ(TailOfLog(folder_ + "/shell.log", 10), "second\nthird");
}

}  // namespace
}  // namespace terminus::tools::cli
