#include "common/config/cluster_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/key.h"

namespace terminus::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ErrorOf(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  return std::string(ParseClusterConfig(yaml, overrides).status().message());
}

TEST(ClusterConfig, ReadsEveryKindOfKey) {
  const auto config = ParseClusterConfig(R"(
bundle: /models/b
router:
  listen: [unix:/tmp/r.sock, 127.0.0.1:8500]
  replicas: {text: ["unix:/tmp/t.sock"]}
  batching: {text: {max_batch_items: 8, min_time_left_ms: 5}}
vision:
  threads: 3
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->bundle, "/models/b");
  EXPECT_THAT(config->router.listen, ElementsAre("unix:/tmp/r.sock", "127.0.0.1:8500"));
  EXPECT_THAT(config->router.text_replicas, ElementsAre("unix:/tmp/t.sock"));
  EXPECT_EQ(config->router.text_batching.max_batch_items, 8);
  EXPECT_EQ(config->router.text_batching.min_time_left, absl::Milliseconds(5));
  EXPECT_EQ(config->vision.threads, 3);
  EXPECT_EQ(config->text.threads, 0);
}

TEST(ClusterConfig, EmptyFileGivesTheDefaults) {
  const auto config = ParseClusterConfig("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ToYaml(*config), ToYaml(ClusterConfig()));
}

TEST(ClusterConfig, UnknownKeyNamesTheNearest) {
  EXPECT_THAT(ErrorOf("router: {batching: {text: {max_batch_item: 3}}}"),
              HasSubstr("did you mean router.batching.text.max_batch_items?"));
  EXPECT_THAT(ErrorOf("zzzz: 1"), HasSubstr("did you mean"));
  EXPECT_THAT(ErrorOf("ruoter: {}"), HasSubstr("did you mean router?"));
}

TEST(ClusterConfig, WrongValuesNamePathAndLimit) {
  EXPECT_EQ(ErrorOf("router: {batching: {text: {max_batch_items: 0}}}"),
            "router.batching.text.max_batch_items: 0, expected at least 1");
  EXPECT_THAT(ErrorOf("text: {threads: many}"), HasSubstr("text.threads: many"));
  EXPECT_THAT(ErrorOf("log_level: loud"), HasSubstr("trace, debug, info, warn, error"));
  EXPECT_EQ(ErrorOf("router: {listen: [nowhere]}"),
            "router.listen: nowhere, expected unix:/path or host:port");
  EXPECT_EQ(ErrorOf("text: {device: gpu}"), "text.device: gpu, expected cpu, cuda:N or auto");
  EXPECT_EQ(ErrorOf("text: {metrics: x}"), "text.metrics: x, expected host:port");
  EXPECT_THAT(ErrorOf("text: 3"), HasSubstr("text: expected a section"));
  EXPECT_THAT(ErrorOf("text: {threads: {a: 1}}"), HasSubstr("text.threads"));
  EXPECT_THAT(ErrorOf("a: ["), HasSubstr("not valid YAML"));
  EXPECT_THAT(ErrorOf("log_level: info\nlog_level: warn"), HasSubstr("log_level: given twice"));
}

TEST(ClusterConfig, OverridesComeLastAndAreChecked) {
  const auto config = ParseClusterConfig(
      "text: {threads: 1}", {"text.threads=4", "text.listen=[unix:/a, b:1]", "bundle="});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->text.threads, 4);
  EXPECT_THAT(config->text.listen, ElementsAre("unix:/a", "b:1"));
  EXPECT_THAT(ErrorOf("", {"text.threads"}), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(ErrorOf("", {"text.thread=1"}), HasSubstr("did you mean text.threads?"));
  EXPECT_THAT(ErrorOf("", {"text.threads=-1"}), HasSubstr("at least 0"));
}

TEST(ClusterConfig, YamlRoundTrip) {
  ClusterConfig config;
  config.bundle = "/a \"b\\new";
  config.router.text_replicas = {"unix:/x", "unix:/y"};
  config.text.drain_timeout = absl::Milliseconds(1234);
  const auto again = ParseClusterConfig(ToYaml(config));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToYaml(*again), ToYaml(config));
  EXPECT_EQ(again->bundle, config.bundle);
}

TEST(ClusterConfig, EveryKeyIsThereOnceAndExplained) {
  std::vector<std::string> paths;
  for (const Key& key : Keys()) {
    EXPECT_FALSE(key.help.empty()) << key.path;
    paths.push_back(key.path);
  }
  std::sort(paths.begin(), paths.end());
  EXPECT_EQ(std::unique(paths.begin(), paths.end()), paths.end());
}

}  // namespace
}  // namespace terminus::config
