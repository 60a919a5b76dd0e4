#include "common/config/cluster_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "common/base/file.h"
#include "common/config/schema.h"

namespace terminus::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Fault(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  const auto config = ParseClusterConfig(yaml, overrides);
  EXPECT_FALSE(config.ok()) << yaml;
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(ClusterConfig, NothingMeansDefaults) {
  const auto config = ParseClusterConfig("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ToYaml(*config), ToYaml(ClusterConfig()));
  EXPECT_THAT(config->router.listen, ElementsAre("127.0.0.1:8500"));
  EXPECT_EQ(config->router.vision_batching.max_batch_items, 32);
}

TEST(ClusterConfig, ReadsEveryKindOfValue) {
  const auto config = ParseClusterConfig(R"(
bundle: /models/b
router:
  listen: [unix:/run/t.sock, "127.0.0.1:0"]
  limits: {max_items: 7, max_image_bytes: 5000000000}
  batching:
    text: {max_batch_items: 3, min_time_left_ms: 20}
  replicas:
    text: dns:///text:9000
  default_deadline_ms: 1500
vision:
  device: cuda:1
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->bundle, "/models/b");
  EXPECT_THAT(config->router.listen, ElementsAre("unix:/run/t.sock", "127.0.0.1:0"));
  EXPECT_EQ(config->router.limits.max_items, 7);
  EXPECT_EQ(config->router.limits.max_image_bytes, 5'000'000'000);
  EXPECT_EQ(config->router.text_batching.max_batch_items, 3);
  EXPECT_EQ(config->router.text_batching.min_time_left, absl::Milliseconds(20));
  EXPECT_THAT(config->router.text_replicas, ElementsAre("dns:///text:9000"));
  EXPECT_EQ(config->router.default_deadline, absl::Milliseconds(1500));
  EXPECT_EQ(config->vision.device, "cuda:1");
  EXPECT_EQ(config->text.device, "auto");
}

TEST(ClusterConfig, OutOfRangeNamesPathValueBoundAndLine) {
  EXPECT_EQ(Fault("router:\n  batching:\n    text: {max_batch_items: 0}\n"),
            "router.batching.text.max_batch_items: 0, expected at least 1 (line 3)");
  EXPECT_THAT(Fault("router: {limits: {max_items: 3000000000}}"), HasSubstr("3000000000"));
  EXPECT_THAT(Fault("router: {default_deadline_ms: 99999999999}"), HasSubstr("1 to 86400000"));
}

TEST(ClusterConfig, WrongTypesAreNamed) {
  EXPECT_THAT(Fault("text: {threads: two}"), HasSubstr("text.threads: 'two', expected a whole"));
  EXPECT_THAT(Fault("text: {threads: [1]}"), HasSubstr("text.threads: expected a whole number"));
  EXPECT_THAT(Fault("bundle: [a]"), HasSubstr("bundle: expected a text"));
  EXPECT_THAT(Fault("router: 5"), HasSubstr("router: expected keys below it"));
  EXPECT_THAT(Fault("[1, 2]"), HasSubstr("the file: expected keys below it"));
}

TEST(ClusterConfig, TextsAreChecked) {
  EXPECT_THAT(Fault("log_level: loud"), HasSubstr("'loud', expected trace, debug"));
  EXPECT_THAT(Fault("text: {device: gpu}"), HasSubstr("text.device: 'gpu', expected auto, cpu"));
  EXPECT_THAT(Fault("router: {listen: [127.0.0.1:1, nowhere]}"),
              HasSubstr("router.listen: entry 2: 'nowhere', expected unix:/path or host:port"));
  EXPECT_THAT(Fault("router: {metrics: 127.0.0.1:70000}"), HasSubstr("expected host:port"));
}

TEST(ClusterConfig, UnknownKeyNamesTheNearest) {
  EXPECT_THAT(Fault("router: {limits: {max_item: 1}}"),
              HasSubstr("router.limits.max_item: unknown key; the nearest is "
                        "router.limits.max_items"));
  EXPECT_THAT(Fault("rooter: {listen: [a:1]}"), HasSubstr("the nearest is router.listen"));
  EXPECT_THAT(Fault("bundel: x"), HasSubstr("the nearest is bundle"));
  EXPECT_THAT(Fault("retry_delay_ms: 5"), HasSubstr("nearest is router.admission.retry_delay_ms"));
}

TEST(ClusterConfig, AllFaultsAreListed) {
  const std::string faults = Fault("bundel: x\nlog_level: loud\n");
  EXPECT_THAT(faults, HasSubstr("bundel"));
  EXPECT_THAT(faults, HasSubstr("log_level"));
}

TEST(ClusterConfig, AKeyGivenTwiceIsAFault) {
  EXPECT_THAT(Fault("log_level: info\nlog_level: warn\n"),
              HasSubstr("log_level: given twice (line 2)"));
}

TEST(ClusterConfig, BrokenYamlSaysWhere) {
  EXPECT_THAT(Fault("router:\n  listen: [a\n"), HasSubstr("not YAML"));
}

TEST(ClusterConfig, OverridesWinAndAreChecked) {
  const auto config = ParseClusterConfig(
      "text: {threads: 1}", {"text.threads=2", "router.listen=[unix:/a, unix:/b]", "bundle="});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->text.threads, 2);
  EXPECT_THAT(config->router.listen, ElementsAre("unix:/a", "unix:/b"));
  EXPECT_EQ(config->bundle, "");
  EXPECT_THAT(Fault("", {"text.threads=-1"}), HasSubstr("text.threads: -1, expected 0 to 1024"));
  EXPECT_THAT(Fault("", {"text.thread=1"}), HasSubstr("the nearest is text.threads"));
  EXPECT_THAT(Fault("", {"text.threads"}), HasSubstr("expected KEY=VALUE"));
}

TEST(ClusterConfig, YamlRoundTripKeepsEveryKey) {
  // Every member away from its default, through the schema itself, so that none is left out.
  ClusterConfig config;
  for (const Key& key : SchemaOf(config).keys) {
    if (auto* const* number = std::get_if<int*>(&key.value)) {
      **number += 1;
    } else if (auto* const* large = std::get_if<int64_t*>(&key.value)) {
      **large += 1;
    } else if (auto* const* duration = std::get_if<absl::Duration*>(&key.value)) {
      **duration += absl::Milliseconds(1);
    }
  }
  config.bundle = "/odd \"path\" \\ : #1";
  config.router.text_replicas = {"unix:/a b", "[::1]:5"};
  const auto again = ParseClusterConfig(ToYaml(config));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToYaml(*again), ToYaml(config));
  EXPECT_NE(ToYaml(config), ToYaml(ClusterConfig()));
  EXPECT_EQ(again->bundle, config.bundle);
  EXPECT_EQ(again->router.text_replicas, config.router.text_replicas);
}

TEST(ClusterConfig, FileIsNamedInItsFaults) {
  const std::string path = testing::TempDir() + "cluster_config_test.yaml";
  std::ofstream(path) << "bundel: x\n";
  const auto config = LoadClusterConfig(path);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(path));
  EXPECT_EQ(LoadClusterConfig("/nowhere.yaml").status().code(), absl::StatusCode::kNotFound);
}

TEST(Schema, DefaultsObeyTheirOwnChecks) {
  EXPECT_TRUE(ParseClusterConfig(ToYaml(ClusterConfig())).ok());
}

TEST(Schema, EachKeyIsDeclaredOnce) {
  ClusterConfig config;
  std::set<std::string> paths;
  for (const Key& key : SchemaOf(config).keys) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.doc.empty()) << key.path;
  }
}

// TERMINUS_UPDATE_DOCS=1 writes the page anew instead.
TEST(Schema, DocumentationIsCurrent) {
  const std::string path = "docs/configuration.md";
  if (std::getenv("TERMINUS_UPDATE_DOCS") != nullptr) {
    ASSERT_TRUE(base::WriteFileAtomic(path, ToMarkdown()).ok());
  }
  const auto page = base::ReadFile(path, 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, ToMarkdown()) << "run common_config_test with TERMINUS_UPDATE_DOCS=1 set";
}

}  // namespace
}  // namespace terminus::config
