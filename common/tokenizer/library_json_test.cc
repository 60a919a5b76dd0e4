#include "common/tokenizer/library_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tokenizer/golden_files.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::tokenizer {
namespace {

TEST(LibraryJsonTest, NumbersAreScaledOnce) {
  EXPECT_EQ(LibraryDouble("0.1"), 0.1);
  EXPECT_EQ(LibraryDouble("-2.5e3"), -2500);
  EXPECT_EQ(LibraryDouble("1E+2"), 100);
  EXPECT_EQ(LibraryDouble("-0.0"), 0);
  EXPECT_EQ(LibraryDouble("5e-324"), 5e-324);
  EXPECT_EQ(LibraryDouble("1e-400"), 0);
  // More digits than 64 bits hold.
  EXPECT_EQ(LibraryDouble("123456789012345678901234567890"), 12345678901234567890e10);
  // A bit away from the nearest double, as in the library.
  EXPECT_EQ(LibraryDouble("-1.234567890123456789"), -1234567890123456789 / 1e18);
}

TEST(LibraryJsonTest, DocumentsAsNlohmannReadsThem) {
  const std::string text = R"({"a": [1, -2, 0.5, "x", null, true, {"b": {}}], "c": [], "a2": 1})";
  EXPECT_EQ(*ParseLibraryJson(text), nlohmann::json::parse(text));
  EXPECT_EQ(*ParseJson(text), nlohmann::json::parse(text));
  EXPECT_EQ(*ParseJson("3"), 3);
  EXPECT_EQ((*ParseJson(R"({"a": 1, "a": 2})"))["a"], 2);
}

TEST(LibraryJsonTest, FaultsAreNamed) {
  for (const std::string text : {"", "[1,", "{\"a\" 1}", "nul", "[1] 2"}) {
    const auto document = ParseLibraryJson(text);
    EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(document.status().message()), testing::HasSubstr("parse error"));
  }
  const auto deep = ParseJson(std::string(300, '['));
  EXPECT_THAT(std::string(deep.status().message()), testing::HasSubstr("nested deeper than 256"));
}

// Vocabularies in which the last bit of a score decides; make_score_goldens.py writes them down.
TEST(LibraryJsonTest, ScoresDecideAsInTheLibrary) {
  int nearest_differ = 0;
  for (const nlohmann::json& line : ReadGoldenLines("scores.jsonl", 40u)) {
    const auto json = line["json"].get<std::string>();
    const auto tokenizer = Tokenizer::FromJson(json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const auto nearest = Tokenizer::FromDocument(*ParseJson(json), {});
    ASSERT_TRUE(nearest.ok()) << nearest.status();
    for (size_t i = 0; i < line["texts"].size(); ++i) {
      const auto text = line["texts"][i].get<std::string>();
      const auto ids = line["ids"][i].get<std::vector<int32_t>>();
      EXPECT_EQ((*tokenizer)->Encode(text)->ids, ids) << text;
      nearest_differ += (*nearest)->Encode(text)->ids != ids ? 1 : 0;
    }
  }
  EXPECT_EQ(nearest_differ, 116);  // as many as the script counts
}

}  // namespace
}  // namespace terminus::tokenizer
