#include "tools/cli/startup.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MATCHER_P2(IsChange, name, state, "") { return arg.name == name && arg.state == state; }

class StartupTest : public testing::Test {
 protected:
  std::vector<ProcessSnapshot> processes_ = {{.name = "router",
                                              .service = "router",
                                              .address = "a",
                                              .state = ProcessState::kRunning,
                                              .pid = 1},
                                             {.name = "text-0",
                                              .service = "text",
                                              .address = "unix:/t",
                                              .state = ProcessState::kRunning,
                                              .pid = 2}};

  static v1::GetStatusResponse Router(v1::ReplicaState state, bool ready) {
    v1::GetStatusResponse router;
    router.set_ready(ready);
    v1::ReplicaStatus* replica = router.add_replicas();
    replica->set_address("unix:/t");
    replica->set_state(state);
    replica->set_detail("another space");
    return router;
  }

  Startup startup_;
};

TEST_F(StartupTest, TellsEachChangeOnce) {
  EXPECT_THAT(startup_.Update(processes_, {}),
              ElementsAre(IsChange("router", "starting"), IsChange("text-0", "starting")));
  EXPECT_EQ(startup_.phase(), StartupPhase::kStarting);
  EXPECT_THAT(startup_.Update(processes_, Router(v1::REPLICA_STATE_LOADING, false)),
              ElementsAre(IsChange("router", "ready"), IsChange("text-0", "loading")));
  EXPECT_THAT(startup_.Update(processes_, Router(v1::REPLICA_STATE_LOADING, false)), IsEmpty());
  EXPECT_EQ(startup_.Unready(), "text-0 is loading");
  EXPECT_THAT(startup_.Update(processes_, Router(v1::REPLICA_STATE_READY, true)),
              ElementsAre(IsChange("text-0", "ready")));
  EXPECT_EQ(startup_.phase(), StartupPhase::kReady);
  EXPECT_EQ(startup_.Unready(), "");
}

TEST_F(StartupTest, ServesBeforeEveryReplicaIsReady) {
  startup_.Update(processes_, Router(v1::REPLICA_STATE_REFUSED, true));
  EXPECT_EQ(startup_.phase(), StartupPhase::kServing);
  EXPECT_THAT(startup_.Unready(), HasSubstr("text-0 is refused: another space"));
}

TEST_F(StartupTest, AnIdleReplicaIsReady) {
  v1::GetStatusResponse router = Router(v1::REPLICA_STATE_READY, true);
  router.mutable_replicas(0)->set_idle(true);
  startup_.Update(processes_, {});
  EXPECT_THAT(startup_.Update(processes_, router),
              ElementsAre(IsChange("router", "ready"), IsChange("text-0", "idle")));
  EXPECT_EQ(startup_.phase(), StartupPhase::kReady);
  EXPECT_EQ(startup_.Unready(), "");
}

TEST_F(StartupTest, ProcessThatDiesSaysHow) {
  processes_[1].pid = 0;
  processes_[1].state = ProcessState::kWaiting;
  processes_[1].last_exit = "exited with 1";
  startup_.Update(processes_, {});
  EXPECT_THAT(startup_.Unready(), HasSubstr("text-0 is waiting (exited with 1)"));
  EXPECT_EQ(startup_.phase(), StartupPhase::kStarting);
  processes_[1].state = ProcessState::kFailed;
  startup_.Update(processes_, {});
  EXPECT_EQ(startup_.phase(), StartupPhase::kFailed);
}

}  // namespace
}  // namespace terminus::tools::cli
