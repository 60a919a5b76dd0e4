#include "tools/cli/cluster_plan.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr char kTextAndVision[] = "format: 1\ntext:\n  path: t\nvision:\n  path: v\n";

class ClusterPlanTest : public testing::Test {
 protected:
  ClusterPlanTest() {
    for (const char* service : {"router", "text", "vision", "video", "decoder"}) {
      Write(std::string("bin/terminus-") + service, "");
    }
    Write("bundle/bundle.yaml", kTextAndVision);
    options_ = {.binaries = root_ + "/bin",
                .bundle = root_ + "/bundle",
                .listen = "127.0.0.1:0",
                .cores = 8};
  }

  void Write(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << content;
  }

  absl::StatusOr<ClusterPlan> Plan() { return PlanCluster(options_, StateFolder(root_ + "/run")); }

  static std::vector<std::string> Names(const ClusterPlan& plan) {
    std::vector<std::string> names;
    for (const ProcessSpec& process : plan.processes) {
      names.push_back(process.name);
    }
    return names;
  }

  const base::TempFolder temp_;
  const std::string root_ = temp_.path();
  PlanOptions options_;
};

TEST_F(ClusterPlanTest, OneOfEachOnSocketsOfTheStateFolder) {
  auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0", "vision-0", "decoder-0"));
  const std::string text_socket = "unix:" + root_ + "/run/text-0.sock";
  EXPECT_THAT(plan->processes[1].arguments,
              ElementsAre(root_ + "/bin/terminus-text", "--config", root_ + "/run/terminus.yaml",
                          "--listen", text_socket));
  EXPECT_THAT(plan->config.router.text_replicas, ElementsAre(text_socket));
  EXPECT_THAT(plan->config.router.decoder_replicas,
              ElementsAre("unix:" + root_ + "/run/decoder-0.sock"));
  EXPECT_THAT(plan->config.router.listen,
              ElementsAre(plan->address, "unix:" + root_ + "/run/router.sock"));
  EXPECT_EQ(plan->config.bundle, root_ + "/bundle");
}

TEST_F(ClusterPlanTest, VideoRunsWhereTheBundleHasIt) {
  Write("bundle/bundle.yaml", std::string(kTextAndVision) + "video:\n  tower: vision\n");
  auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0", "vision-0", "video-0", "decoder-0"));
  EXPECT_THAT(plan->config.router.video_replicas,
              ElementsAre("unix:" + root_ + "/run/video-0.sock"));
  EXPECT_EQ(plan->config.video.threads, 8);
  options_.replicas = {{"video", 0}};
  EXPECT_THAT(Names(*Plan()), ElementsAre("router", "text-0", "vision-0", "decoder-0"));
  // Asked for by name it is run, and idle.
  Write("bundle/bundle.yaml", kTextAndVision);
  options_.replicas = {{"video", 2}};
  EXPECT_THAT(Names(*Plan()),
              ElementsAre("router", "text-0", "vision-0", "video-0", "video-1", "decoder-0"));
}

TEST_F(ClusterPlanTest, ReplicasShareTheCores) {
  options_.replicas = {{"text", 3}, {"vision", 0}, {"decoder", 0}};
  auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0", "text-1", "text-2"));
  EXPECT_EQ(plan->config.router.text_replicas.size(), 3u);
  EXPECT_THAT(plan->config.router.vision_replicas, IsEmpty());
  EXPECT_EQ(plan->config.text.threads, 2);
}

TEST_F(ClusterPlanTest, ThreadsOfTheConfigStand) {
  options_.overrides = {"text.threads=5"};
  auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->config.text.threads, 5);
  EXPECT_EQ(plan->config.vision.threads, 8);
}

TEST_F(ClusterPlanTest, ServicesThatRunElsewhereAreNotStarted) {
  options_.overrides = {"router.replicas.vision=[10.0.0.7:8501]"};
  auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0", "decoder-0"));
  EXPECT_THAT(plan->config.router.vision_replicas, ElementsAre("10.0.0.7:8501"));
}

TEST_F(ClusterPlanTest, NothingToRunIsAnError) {
  options_.replicas = {{"text", 0}, {"vision", 0}, {"decoder", 0}};
  EXPECT_EQ(Plan().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ClusterPlanTest, ModelFolderRunsItsServiceAlone) {
  Write("mine/config.json", R"({"model_type": "bert"})");
  options_.model = root_ + "/mine";
  auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0"));
  EXPECT_EQ(plan->config.bundle, root_ + "/mine");

  Write("mine/config.json", R"({"architecture": "tf_efficientnet_lite0"})");
  plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "vision-0"));

  Write("mine/config.json", R"({"model_type": "llama"})");
  plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "decoder-0"));

  // Idle at first, for a model that is loaded later.
  options_.replicas = {{"text", 2}};
  plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0", "text-1", "decoder-0"));

  options_.replicas.clear();
  Write("mine/config.json", R"({"model_type": "clip"})");
  plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0", "vision-0", "decoder-0"));

  Write("mine/config.json", R"({"model_type": "mamba"})");
  EXPECT_THAT(std::string(Plan().status().message()),
              AllOf(HasSubstr("mamba"), HasSubstr("\"clip\"")));
}

TEST_F(ClusterPlanTest, ABundleRunsTheServicesOfItsSections) {
  const auto services = [&](const std::string& sections) {
    Write("bundle/bundle.yaml", "format: 1\n" + sections);
    const auto plan = Plan();
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? Names(*plan) : std::vector<std::string>();
  };
  EXPECT_THAT(services("text:\n  path: t\n"), ElementsAre("router", "text-0", "decoder-0"));
  EXPECT_THAT(services("vision:\n  path: v\n"), ElementsAre("router", "vision-0", "decoder-0"));
  EXPECT_THAT(services("video:\n  tower: v\n"), ElementsAre("router", "video-0", "decoder-0"));
  EXPECT_THAT(services("decoder:\n  path: d\n"), ElementsAre("router", "decoder-0"));

  Write("bundle/bundle.yaml", "format: 1\n");
  EXPECT_THAT(std::string(Plan().status().message()),
              AllOf(HasSubstr("bundle.yaml"), HasSubstr("none of text, vision, video, decoder")));
  Write("bundle/bundle.yaml", "text: [\n");
  EXPECT_THAT(std::string(Plan().status().message()), HasSubstr("bundle.yaml"));
}

TEST_F(ClusterPlanTest, AFolderOfSentenceTransformersMayKeepItsEncoderInside) {
  Write("mine/modules.json", R"([{"path": "0_Transformer"}, {"path": "1_Pooling"}])");
  Write("mine/0_Transformer/config.json", R"({"model_type": "bert"})");
  options_.model = root_ + "/mine";
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("router", "text-0"));
}

TEST_F(ClusterPlanTest, ABundleIsOneByWhicheverOptionItCame) {
  Write("both/config.json", R"({"model_type": "bert"})");
  Write("both/bundle.yaml", "format: 1\nvision:\n  path: v\n");
  for (std::string* option : {&options_.model, &options_.bundle}) {
    options_.model.clear();
    *option = root_ + "/both";
    const auto plan = Plan();
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_THAT(Names(*plan), ElementsAre("router", "vision-0", "decoder-0"));
  }
}

TEST_F(ClusterPlanTest, MissingFoldersAndExecutablesSayWhatToDo) {
  options_.bundle = root_ + "/nonesuch";
  EXPECT_THAT(std::string(Plan().status().message()),
              AllOf(HasSubstr("bundle.yaml"), HasSubstr("nonesuch")));
  options_.bundle.clear();
  setenv("TERMINUS_HOME", root_.c_str(), 1);
  EXPECT_THAT(std::string(Plan().status().message()),
              AllOf(HasSubstr("bundles/default"), HasSubstr("scripts/setup")));
  unsetenv("TERMINUS_HOME");
  options_.bundle = root_ + "/bundle";
  std::filesystem::remove(root_ + "/bin/terminus-vision");
  EXPECT_THAT(std::string(Plan().status().message()),
              AllOf(HasSubstr("terminus-vision"), HasSubstr("scripts/build")));
}

TEST(ParseReplicasTest, ReadsCounts) {
  EXPECT_THAT(ParseReplicas("text=2,vision=0").value(),
              ElementsAre(Pair("text", 2), Pair("vision", 0)));
  EXPECT_THAT(ParseReplicas("").value(), IsEmpty());
}

TEST(ParseReplicasTest, NamesWhatIsWrong) {
  for (const char* text : {"text", "text=", "text=x", "text=-1", "text=65", "text=1=2"}) {
    EXPECT_THAT(std::string(ParseReplicas(text).status().message()), HasSubstr(text));
  }
  EXPECT_THAT(std::string(ParseReplicas("router=2").status().message()),
              AllOf(HasSubstr("router"), HasSubstr("text, vision, video, decoder")));
}

}  // namespace
}  // namespace terminus::tools::cli
