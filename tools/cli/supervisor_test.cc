#include "tools/cli/supervisor.h"

#include <signal.h>

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class FakeHost : public ProcessHost {
 public:
  absl::StatusOr<pid_t> Start(const ProcessSpec& spec) override {
    if (!start_error.ok()) {
      return start_error;
    }
    pids[spec.name] = ++last_pid_;
    return last_pid_;
  }
  void Signal(pid_t pid, int signal) override { signals.emplace_back(NameOf(pid), signal); }
  std::optional<int> Reap(pid_t pid) override {
    auto found = ended.find(pid);
    if (found == ended.end()) {
      return std::nullopt;
    }
    const int status = found->second;
    ended.erase(found);
    return status;
  }

  void End(const std::string& name, int wait_status) { ended[pids.at(name)] = wait_status; }

  absl::Status start_error;
  std::map<std::string, pid_t> pids;
  std::map<pid_t, int> ended;
  std::vector<std::pair<std::string, int>> signals;

 private:
  std::string NameOf(pid_t pid) const {
    for (const auto& [name, owner] : pids) {
      if (owner == pid) {
        return name;
      }
    }
    return "?";
  }
  pid_t last_pid_ = 100;
};

class SupervisorTest : public testing::Test {
 protected:
  static std::vector<ProcessSpec> Specs() {
    return {{.name = "router", .service = "router"},
            {.name = "text-0", .service = "text"},
            {.name = "text-1", .service = "text"}};
  }

  ProcessSnapshot Of(const std::string& name) {
    for (const ProcessSnapshot& process : supervisor_.Snapshot()) {
      if (process.name == name) {
        return process;
      }
    }
    ADD_FAILURE() << name;
    return {};
  }

  void StepAfter(absl::Duration time) {
    clock_.Advance(time);
    supervisor_.Step();
  }

  base::FakeClock clock_;
  FakeHost host_;
  std::vector<std::string> events_;
  Supervisor supervisor_{{.lifecycle = {.stop_patience = absl::Seconds(5)},
                          .on_event = [this](const std::string& line) { events_.push_back(line); }},
                         Specs(),
                         host_,
                         clock_};
};

TEST_F(SupervisorTest, StartsAll) {
  supervisor_.Step();
  for (const ProcessSnapshot& process : supervisor_.Snapshot()) {
    EXPECT_EQ(process.state, ProcessState::kRunning) << process.name;
    EXPECT_EQ(process.pid, host_.pids.at(process.name));
    EXPECT_EQ(process.restarts, 0);
  }
  EXPECT_EQ(supervisor_.NextWake(), absl::InfiniteFuture());
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(SupervisorTest, RestartsWhatDiesAndOnlyThat) {
  supervisor_.Step();
  const auto before = host_.pids;
  host_.End("text-0", SIGKILL);
  supervisor_.Step();
  EXPECT_EQ(Of("text-0").state, ProcessState::kWaiting);
  EXPECT_EQ(Of("text-0").pid, 0);
  EXPECT_THAT(events_, ElementsAre("text-0 killed by SIGKILL, restarting in 200ms"));
  StepAfter(supervisor_.NextWake() - clock_.Now());
  EXPECT_EQ(Of("text-0").state, ProcessState::kRunning);
  EXPECT_EQ(Of("text-0").restarts, 1);
  EXPECT_NE(host_.pids.at("text-0"), before.at("text-0"));
  EXPECT_EQ(host_.pids.at("text-1"), before.at("text-1"));
}

TEST_F(SupervisorTest, GivesUpOnWhatNeverWorks) {
  for (int i = 0; i < 3; ++i) {
    StepAfter(absl::Seconds(1));
    host_.End("text-1", 1 << 8);
    supervisor_.Step();
  }
  EXPECT_EQ(Of("text-1").state, ProcessState::kFailed);
  EXPECT_EQ(Of("text-1").last_exit, "exited with 1");
  EXPECT_THAT(events_.back(), HasSubstr("giving up after 3"));
}

TEST_F(SupervisorTest, GivesUpAtOnceOnWhatIsRefused) {
  supervisor_.Step();
  host_.End("text-1", 2 << 8);
  supervisor_.Step();
  EXPECT_EQ(Of("text-1").state, ProcessState::kFailed);
  EXPECT_TRUE(Of("text-1").refused);
  EXPECT_THAT(events_,
              ElementsAre("text-1 exited with 2, giving up: another start would change nothing"));
  // Killed by signal 2 is something else.
  host_.End("text-0", 2);
  supervisor_.Step();
  EXPECT_EQ(Of("text-0").state, ProcessState::kWaiting);
}

TEST_F(SupervisorTest, RestartsWithoutEndOnceServed) {
  supervisor_.Step();
  supervisor_.SetServed();
  for (int i = 0; i < 10; ++i) {
    host_.End("text-1", 1 << 8);
    supervisor_.Step();
    StepAfter(absl::Seconds(10));
  }
  EXPECT_EQ(Of("text-1").state, ProcessState::kRunning);
  EXPECT_EQ(Of("text-1").restarts, 10);
}

TEST_F(SupervisorTest, ExecutableThatCannotBeRunIsGivenUp) {
  host_.start_error = absl::NotFoundError("cannot run /x");
  for (int i = 0; i < 3; ++i) {
    StepAfter(absl::Seconds(1));
  }
  EXPECT_TRUE(supervisor_.ended());
  EXPECT_EQ(Of("router").last_exit, "cannot run /x");
}

TEST_F(SupervisorTest, StopsTheRouterFirst) {
  supervisor_.Step();
  supervisor_.RequestStop();
  EXPECT_THAT(host_.signals, ElementsAre(Pair("router", SIGTERM)));
  supervisor_.Step();
  EXPECT_EQ(host_.signals.size(), 1u);
  host_.End("router", 0);
  supervisor_.Step();
  EXPECT_THAT(host_.signals, ElementsAre(Pair("router", SIGTERM), Pair("text-0", SIGTERM),
                                         Pair("text-1", SIGTERM)));
  EXPECT_FALSE(supervisor_.ended());
  host_.End("text-0", 0);
  host_.End("text-1", 0);
  supervisor_.Step();
  EXPECT_TRUE(supervisor_.ended());
}

TEST_F(SupervisorTest, KillsWhatDoesNotStop) {
  supervisor_.Step();
  supervisor_.RequestStop();
  StepAfter(absl::Seconds(5));
  EXPECT_THAT(host_.signals, ElementsAre(Pair("router", SIGTERM), Pair("router", SIGKILL)));
}

TEST_F(SupervisorTest, SecondRequestKillsAtOnce) {
  supervisor_.Step();
  supervisor_.RequestStop();
  supervisor_.Kill();
  EXPECT_THAT(host_.signals,
              testing::IsSupersetOf(
                  {Pair("router", SIGKILL), Pair("text-0", SIGKILL), Pair("text-1", SIGKILL)}));
  host_.End("router", SIGKILL);
  host_.End("text-0", SIGKILL);
  host_.End("text-1", SIGKILL);
  supervisor_.Step();
  EXPECT_TRUE(supervisor_.ended());
}

TEST_F(SupervisorTest, WhatDiesWhileStoppingStaysDown) {
  supervisor_.Step();
  supervisor_.RequestStop();
  host_.End("text-0", SIGKILL);
  supervisor_.Step();
  StepAfter(absl::Seconds(1));
  EXPECT_EQ(Of("text-0").state, ProcessState::kStopped);
}

}  // namespace
}  // namespace terminus::tools::cli
