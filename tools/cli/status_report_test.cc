#include "tools/cli/status_report.h"

#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::optional<double> FakePss(pid_t pid) { return pid * 10.0; }

v1::GetStatusResponse Router() {
  v1::GetStatusResponse router;
  router.set_ready(true);
  router.set_space_id("abc");
  router.set_metrics_address("127.0.0.1:1");
  router.set_max_admitted_bytes(512 << 20);
  v1::ReplicaStatus* replica = router.add_replicas();
  replica->set_service("text");
  replica->set_address("unix:/run/text-0.sock");
  replica->set_state(v1::REPLICA_STATE_READY);
  replica->set_device("cpu");
  replica->set_metrics_address("127.0.0.1:2");
  return router;
}

ClusterRecord Local() {
  return {.supervisor = 1,
          .address = "127.0.0.1:8500",
          .processes = {{.name = "router",
                         .service = "router",
                         .address = "127.0.0.1:8500",
                         .state = ProcessState::kRunning,
                         .pid = 5},
                        {.name = "text-0",
                         .service = "text",
                         .address = "unix:/run/text-0.sock",
                         .state = ProcessState::kRunning,
                         .pid = 7,
                         .restarts = 2}}};
}

TEST(StatusReportTest, JoinsBothViewsByAddress) {
  const StatusReport report = MakeStatusReport("127.0.0.1:8500", Router(), Local(), FakePss);
  ASSERT_EQ(report.processes.size(), 2u);
  const ProcessStatus& router = report.processes[0];
  EXPECT_EQ(router.name, "router");
  EXPECT_EQ(router.state, "ready");
  EXPECT_EQ(router.pid, 5);
  EXPECT_EQ(router.metrics_address, "127.0.0.1:1");
  const ProcessStatus& text = report.processes[1];
  EXPECT_EQ(text.name, "text-0");
  EXPECT_EQ(text.state, "ready");
  EXPECT_EQ(text.pid, 7);
  EXPECT_EQ(text.restarts, 2);
  EXPECT_EQ(text.pss_mib, 70.0);
  EXPECT_EQ(text.metrics_address, "127.0.0.1:2");
  EXPECT_THAT(FormatStatus(report), AllOf(HasSubstr("cluster at 127.0.0.1:8500: ready"),
                                          HasSubstr("text-0"), HasSubstr("total PSS 120 MiB")));
  const nlohmann::json json = StatusToJson(report);
  EXPECT_EQ(json["total_pss_mib"], 120.0);
  EXPECT_EQ(json["processes"][1]["pid"], 7);
  EXPECT_EQ(json["space_id"], "abc");
}

TEST(StatusReportTest, AReplicaWithNothingToServeIsIdle) {
  v1::GetStatusResponse router = Router();
  router.mutable_replicas(0)->set_idle(true);
  const StatusReport report = MakeStatusReport("127.0.0.1:8500", router, Local(), FakePss);
  EXPECT_EQ(report.processes[1].state, "idle");
  EXPECT_TRUE(report.ready);
}

TEST(StatusReportTest, ProcessThatIsGoneSaysWhy) {
  ClusterRecord local = Local();
  local.processes[1].pid = 0;
  local.processes[1].state = ProcessState::kWaiting;
  local.processes[1].last_exit = "killed by SIGKILL";
  const StatusReport report = MakeStatusReport("127.0.0.1:8500", Router(), local, FakePss);
  EXPECT_EQ(report.processes[1].state, "waiting");
  EXPECT_EQ(report.processes[1].pss_mib, std::nullopt);
  EXPECT_THAT(FormatStatus(report), HasSubstr("text-0: killed by SIGKILL"));
  EXPECT_TRUE(StatusToJson(report)["processes"][1]["pid"].is_null());
}

TEST(StatusReportTest, WithoutTheRouterTheSupervisorIsHeard) {
  const StatusReport report = MakeStatusReport("127.0.0.1:8500", {}, Local(), FakePss);
  EXPECT_FALSE(report.ready);
  ASSERT_EQ(report.processes.size(), 2u);
  EXPECT_EQ(report.processes[1].state, "running");
  EXPECT_THAT(FormatStatus(report), HasSubstr("the router does not answer"));
}

TEST(StatusReportTest, WithoutASupervisorTheRouterIsHeard) {
  const StatusReport report = MakeStatusReport("10.0.0.1:8500", Router(), {}, FakePss);
  EXPECT_TRUE(report.ready);
  EXPECT_EQ(report.processes[1].name, "unix:/run/text-0.sock");
  EXPECT_EQ(report.processes[1].pid, std::nullopt);
}

TEST(ReadPssTest, ReadsOwnMemory) {
  const std::optional<double> pss = ReadPssMib(getpid());
  if (!pss.has_value()) {
    GTEST_SKIP() << "this kernel has no smaps_rollup";
  }
  EXPECT_GT(*pss, 0.1);
  EXPECT_EQ(ReadPssMib(-1), std::nullopt);
}

}  // namespace
}  // namespace terminus::tools::cli
