// What a model writes under a grammar is what the schema or the regular expression says: tried with
// random small ones of both, and a model that chooses at random.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <gtest/gtest.h>
#include <pcre2.h>

#include <random>

#include "common/grammar/grammar_testing.h"

namespace terminus::grammar {
namespace {

using testing::Admits;
using testing::CompileRegex;
using testing::CompileSchema;
using testing::RandomAnswer;
using Json = nlohmann::json;

class SchemaMaker {
 public:
  explicit SchemaMaker(std::mt19937& random) : random_(random) {}

  Json Make(int depth) {
    switch (Below(depth > 0 ? 10 : 7)) {
      case 0:
        return {{"type", "integer"}, {"minimum", -int(Below(300))}, {"maximum", int(Below(300))}};
      case 1:
        return {{"type", "number"}, {"minimum", -2.5}, {"maximum", 1000}};
      case 2:
        return {{"type", "string"}, {"minLength", Below(3)}, {"maxLength", 3 + Below(9)}};
      case 3:
        return {{"type", "boolean"}};
      case 4:
        return {{"type", "null"}};
      case 5:
        return {{"enum", {"a\"b", "é\\", Below(50), nullptr, Json::array({1, "x"})}}};
      case 6:
        return {{"const", {{"k", {1, 2}}}}};
      case 7:
        return {{"anyOf", {Make(depth - 1), Make(depth - 1)}}};
      case 8:
        return MakeArray(depth);
      default:
        return MakeObject(depth);
    }
  }

 private:
  unsigned Below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

  Json MakeArray(int depth) {
    Json schema = {{"type", "array"}, {"items", Make(depth - 1)}};
    if (Below(2) == 0) schema["prefixItems"] = Json::array({Make(depth - 1)});
    schema["minItems"] = Below(3);
    schema["maxItems"] = 3 + Below(3);
    return schema;
  }

  Json MakeObject(int depth) {
    Json schema = {{"type", "object"}, {"properties", Json::object()}};
    Json required = Json::array();
    for (unsigned i = 0; i < 1 + Below(4); ++i) {
      const std::string name = (i % 2 == 0 ? "näme" : "k\"") + std::to_string(i);
      schema["properties"][name] = Make(depth - 1);
      if (Below(2) == 0) required.push_back(name);
    }
    schema["required"] = required;
    if (Below(3) == 0) schema["additionalProperties"] = false;
    return schema;
  }

  std::mt19937& random_;
};

TEST(RandomSchema, AnswersParseAndAreAsTheSchemaSays) {
  std::mt19937 random(1);
  int answers = 0;
  for (int round = 0; round < 150; ++round) {
    const Json schema = SchemaMaker(random).Make(3);
    const auto grammar = CompileSchema(schema.dump());
    ASSERT_TRUE(grammar.ok()) << schema << ": " << grammar.status();
    for (int i = 0; i < 3; ++i) {
      const auto answer = RandomAnswer(*grammar, random);
      ASSERT_TRUE(answer.ok()) << schema << ": " << answer.status();
      if (answer->empty() || testing::HasSurrogate(*answer)) continue;
      ++answers;
      const Json value = Json::parse(*answer, nullptr, /*allow_exceptions=*/false);
      ASSERT_FALSE(value.is_discarded()) << schema << ": " << *answer;
      EXPECT_TRUE(Admits(schema, value, schema)) << schema << ": " << *answer;
    }
  }
  EXPECT_GT(answers, 300) << "most answers should come to an end";
}

// Answers may be beginnings of answers too: no step of one leads nowhere.
TEST(RandomSchema, RecursiveSchemas) {
  const std::string tree = R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object",
      "properties": {"value": {"type": "integer", "minimum": 0, "maximum": 9999},
                     "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
      "required": ["value"]}}})";
  const Json schema = Json::parse(tree);
  const auto grammar = CompileSchema(tree);
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  std::mt19937 random(2);
  int answers = 0;
  for (int i = 0; i < 50; ++i) {
    const auto answer = RandomAnswer(*grammar, random);
    ASSERT_TRUE(answer.ok()) << answer.status();
    if (answer->empty()) continue;
    ++answers;
    EXPECT_TRUE(Admits(schema, Json::parse(*answer), schema)) << *answer;
  }
  EXPECT_GT(answers, 20);
}

// Matches from beginning to end, by PCRE2.
bool Matches(const std::string& regex, const std::string& text) {
  int error = 0;
  PCRE2_SIZE at = 0;
  const auto* pattern = reinterpret_cast<PCRE2_SPTR>(regex.data());
  pcre2_code* code = pcre2_compile(pattern, regex.size(),
                                   PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL,
                                   &error, &at, nullptr);
  EXPECT_NE(code, nullptr) << regex;
  if (code == nullptr) return false;
  pcre2_match_data* match = pcre2_match_data_create_from_pattern(code, nullptr);
  const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                                match, nullptr);
  pcre2_match_data_free(match);
  pcre2_code_free(code);
  return found >= 0;
}

std::string RandomRegex(std::mt19937& random, int depth) {
  static const char* const kAtoms[] = {"a",   "cat", "[a-f0-9]", "[^x-z\"]", "\\d",
                                       "\\w", "\\.", "é",        "日",       "[é日]"};
  switch (random() % (depth > 0 ? 6 : 1)) {
    case 1:
      return "(" + RandomRegex(random, depth - 1) + "|" + RandomRegex(random, depth - 1) + ")";
    case 2:
      return "(?:" + RandomRegex(random, depth - 1) + ")" + "*+?"[random() % 3];
    case 3:
      return "(" + RandomRegex(random, depth - 1) + "){1," + std::to_string(1 + random() % 4) + "}";
    case 4:
    case 5:
      return RandomRegex(random, depth - 1) + RandomRegex(random, depth - 1);
    default:
      return kAtoms[random() % std::size(kAtoms)];
  }
}

TEST(RandomRegex, AnswersMatchFromBeginningToEnd) {
  std::mt19937 random(3);
  int answers = 0;
  for (int round = 0; round < 150; ++round) {
    const std::string regex = RandomRegex(random, 4);
    const auto grammar = CompileRegex(regex);
    ASSERT_TRUE(grammar.ok()) << regex << ": " << grammar.status();
    for (int i = 0; i < 3; ++i) {
      const auto answer = RandomAnswer(*grammar, random, 400);
      ASSERT_TRUE(answer.ok()) << regex << ": " << answer.status();
      if (answer->empty()) continue;
      ++answers;
      EXPECT_TRUE(Matches(regex, *answer)) << regex << ": " << *answer;
    }
  }
  EXPECT_GT(answers, 300);
}

}  // namespace
}  // namespace terminus::grammar
