#include "common/settings/table.h"

#include "common/settings/collector.h"
#include "common/settings/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::settings {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Key kRopeKeys[] = {Used("rope_theta", "base of the angles"),
                             Fixed("partial", "[1]", "rotates a part of each head")};
constexpr Table kRope = {.file = "config.json", .kind = "test.rope", .keys = kRopeKeys};
constexpr Key kBaseKeys[] = {NoEffect("name", "names the model"),
                             Fixed("causal", "[false]", "overridden below"),
                             Warned("auto_map", "code of its own is never run")};
constexpr Table kBase = {.file = "config.json", .kind = "all", .keys = kBaseKeys};
constexpr const Table* kBases[] = {&kBase};
constexpr Key kKeys[] = {Used("size", "width"),
                         Fixed("causal", "[true]", "attention sees what is before"),
                         Fixed("quantization", "[]", "weights are quantized"),
                         UsedObject("rope", &kRope, "rotary positions")};
constexpr Table kTable = {.file = "config.json", .kind = "test", .keys = kKeys, .bases = kBases};

Findings Check(const std::string& text) {
  Findings findings;
  CheckKeys(json::parse(text), kTable, "", &findings);
  return findings;
}

TEST(TableTest, DeclaredValuesPass) {
  const Findings findings = Check(
      R"({"size": 3, "causal": true, "name": "x", "rope": {"rope_theta": 1, "partial": 1.0}})");
  EXPECT_THAT(findings.faults, IsEmpty());
  EXPECT_THAT(findings.warnings, IsEmpty());
  EXPECT_THAT(findings.unknown, IsEmpty());
}

TEST(TableTest, OtherValuesAreFaultsThatSayWhy) {
  const Findings findings =
      Check(R"({"causal": false, "quantization": {"bits": 4}, "rope": {"partial": 0.5}})");
  EXPECT_THAT(findings.faults,
              ElementsAre("causal: false, supported is true (attention sees what is before)",
                          "quantization: {\"bits\":4}, not supported (weights are quantized)",
                          "rope.partial: 0.5, supported is 1 (rotates a part of each head)"));
}

TEST(TableTest, NullAlwaysPasses) {
  EXPECT_THAT(Check(R"({"causal": null, "quantization": null, "rope": null})").faults, IsEmpty());
}

TEST(TableTest, UnknownKeysAreListedWithTheirPaths) {
  EXPECT_THAT(Check(R"({"nonesuch": 1, "rope": {"other": 2}})").unknown,
              ElementsAre("nonesuch", "rope.other"));
}

TEST(TableTest, LongValuesAreCut) {
  const std::string value(1000, 'x');
  const Findings findings = Check(json({{"quantization", value}}).dump());
  ASSERT_EQ(findings.faults.size(), 1);
  EXPECT_LT(findings.faults[0].size(), 200);
}

TEST(TableTest, OwnKeysComeBeforeThoseOfBases) {
  EXPECT_EQ(kTable.Find("causal")->accepted, "[true]");
  EXPECT_EQ(kTable.All().size(), 6);
}

TEST(TableTest, BoundFileRefusesAndWarns) {
  Collector collector;
  const auto file =
      JsonFile::Parse("f/config.json", R"({"causal": 1, "auto_map": {}, "b": 1})", &kTable);
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(std::string(file->status().message()), HasSubstr("f/config.json: causal: 1"));
  EXPECT_THAT(collector.warnings(),
              ElementsAre("f/config.json: auto_map: not looked at (code of its own is never run)",
                          "f/config.json: unknown keys, not looked at: b"));
}

TEST(TableTest, CollectorKeepsReadsByTable) {
  Collector collector;
  auto file = JsonFile::Parse("f", R"({"size": 3, "rope": {"rope_theta": 5}})", &kTable);
  ASSERT_TRUE(file.ok());
  file->Int("size", 1, 4);
  JsonFile rope = file->Object("rope");
  EXPECT_EQ(rope.NumberOr("rope_theta", 1), 5);
  EXPECT_TRUE(collector.reads().count({&kTable, "size"}));
  EXPECT_TRUE(collector.reads().count({&kRope, "rope_theta"}));
  EXPECT_EQ(collector.reads().size(), 3);
}

TEST(TableDeathTest, AskingForAnUndeclaredKeyIsABug) {
  auto file = JsonFile::Parse("f", R"({"nonesuch": 3})", &kTable);
  ASSERT_TRUE(file.ok());
  EXPECT_DEATH(file->IntOr("nonesuch", 0, 9, 1), "declared");
  EXPECT_DEATH(file->BoolOr("causal", true), "declared");
}

TEST(TableTest, MarkdownHasARowForEachKey) {
  const std::string text = FormatMarkdown(kTable, 3);
  EXPECT_THAT(text, HasSubstr("### `config.json`: test"));
  EXPECT_THAT(text, HasSubstr("| `causal` | only `true` | attention sees what is before |"));
  EXPECT_THAT(text, HasSubstr("| `quantization` | refused | weights are quantized |"));
  EXPECT_THAT(text, HasSubstr("| `name` | no effect | names the model |"));
}

TEST(TableTest, MarkdownNamesBasesThatAreShownElsewhere) {
  constexpr Key kOwn[] = {Used("own", "of this table")};
  const Table* const bases[] = {&kTable};
  const Table derived = {.file = "config.json", .kind = "derived", .keys = kOwn, .bases = bases};
  EXPECT_THAT(FormatMarkdown(derived, 3), HasSubstr("| `causal` |"));
  const std::string text = FormatMarkdown(derived, 3, bases);
  EXPECT_THAT(text, HasSubstr("| `own` | used | of this table |\n\nOther keys as in \"test\"."));
  EXPECT_THAT(text, testing::Not(HasSubstr("causal")));
}

}  // namespace
}  // namespace terminus::settings
