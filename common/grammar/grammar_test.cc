#include "common/grammar/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "common/grammar/grammar_testing.h"

namespace terminus::grammar {
namespace {

using ::testing::AllOf;
using testing::CompileRegex;
using testing::CompileSchema;
using ::testing::HasSubstr;
using testing::MakeVocabulary;

std::string Message(const absl::StatusOr<std::shared_ptr<const Grammar>>& result) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << result.status();
  return std::string(result.status().message());
}

// The tokens that may come next.
std::vector<std::string> Next(Matcher& matcher, const Vocabulary& vocabulary) {
  std::vector<uint32_t> mask(vocabulary.mask_words());
  matcher.FillMask(absl::MakeSpan(mask));
  std::vector<std::string> tokens;
  for (int32_t token = 0; token < vocabulary.size(); ++token) {
    if ((mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0) {
      tokens.push_back(vocabulary.BytesOf(token));
    }
  }
  return tokens;
}

TEST(Matcher, AllowsWhatTheGrammarAllowsAndTheEndAtTheEnd) {
  const auto grammar = CompileRegex("(na|name)!");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  const Vocabulary& vocabulary = (*grammar)->vocabulary();
  const int32_t end = vocabulary.end_tokens()[0];
  Matcher matcher(*grammar);
  EXPECT_THAT(Next(matcher, vocabulary), ::testing::ElementsAre("n", "name"));
  EXPECT_FALSE(matcher.Accept('a'));
  EXPECT_FALSE(matcher.Accept(end));
  EXPECT_FALSE(matcher.Accept(-1));
  EXPECT_FALSE(matcher.Accept(vocabulary.size()));
  EXPECT_TRUE(matcher.Accept('n'));
  EXPECT_TRUE(matcher.Accept('a'));
  EXPECT_THAT(Next(matcher, vocabulary), ::testing::ElementsAre("!", "m"));
  EXPECT_TRUE(matcher.Accept('!'));
  EXPECT_FALSE(matcher.IsTerminated());
  EXPECT_THAT(Next(matcher, vocabulary), ::testing::ElementsAre(""));
  EXPECT_FALSE(matcher.Accept(end - 1)) << "a special token that ends nothing";
  EXPECT_TRUE(matcher.Accept(end));
  EXPECT_TRUE(matcher.IsTerminated());
  EXPECT_THAT(Next(matcher, vocabulary), ::testing::IsEmpty());
  EXPECT_FALSE(matcher.Accept('n'));
}

TEST(Matcher, EachGoesItsOwnWay) {
  const auto grammar = CompileRegex("[ab]*");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  Matcher one(*grammar);
  Matcher other(*grammar);
  EXPECT_TRUE(one.Accept('a'));
  EXPECT_TRUE(one.Accept((*grammar)->vocabulary().end_tokens()[0]));
  EXPECT_TRUE(other.Accept('b'));
  EXPECT_TRUE(one.IsTerminated());
  EXPECT_FALSE(other.IsTerminated());
}

TEST(Matcher, OutlivesTheGrammarsOwner) {
  auto grammar = CompileRegex("ab");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  Matcher matcher(*grammar);
  grammar = absl::CancelledError();
  EXPECT_TRUE(matcher.Accept('a'));
}

// Repetitions of repetitions make one step take minutes.
TEST(Matcher, AStepThatTakesTooLongEndsTheAnswerAlone) {
  std::string regex = "a";
  for (int i = 0; i < 12; ++i) regex = "(" + regex + "){1,30}";
  const auto grammar = CompileRegex(regex);
  // Refused at once where its first step takes too long, else stopped later.
  if (!grammar.ok()) {
    EXPECT_THAT(Message(grammar), HasSubstr("too long"));
    return;
  }
  const Vocabulary& vocabulary = (*grammar)->vocabulary();
  Matcher matcher(*grammar);
  int steps = 0;
  while (!Next(matcher, vocabulary).empty() && matcher.Accept('a')) ++steps;
  EXPECT_LT(steps, 1000);
  EXPECT_THAT(Next(matcher, vocabulary), ::testing::IsEmpty());
  EXPECT_FALSE(matcher.Accept('a'));
}

// A tokenizer that drops the first blank: an answer's bytes have one more in front.
TEST(Matcher, WhatATextLosesStandsInFront) {
  auto bytes = std::vector<std::string>{" ", "a", " a", "  ", ""};
  const auto vocabulary = Vocabulary::FromBytes(bytes, {4}, " ", /*not_first=*/{3});
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  for (const char* regex : {"a", " a"}) {
    const auto grammar = Grammar::Compile({Source::Kind::kRegex, regex}, *vocabulary, {});
    ASSERT_TRUE(grammar.ok()) << grammar.status();
    Matcher matcher(*grammar);
    EXPECT_FALSE(matcher.Accept(1)) << regex;
    EXPECT_FALSE(matcher.Accept(3)) << regex;
    EXPECT_EQ(matcher.Accept(2), std::string(regex) == "a");
    EXPECT_EQ(matcher.Accept(0), std::string(regex) == " a");
    EXPECT_FALSE(matcher.Accept(3));
  }
}

TEST(Compile, AnyObject) {
  const auto grammar = Grammar::Compile({}, MakeVocabulary(), {});
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  std::mt19937 random(4);
  int answers = 0;
  for (int i = 0; i < 30; ++i) {
    const auto answer = testing::RandomAnswer(*grammar, random);
    ASSERT_TRUE(answer.ok()) << answer.status();
    if (answer->empty() || answer->find("\\u") != std::string::npos) continue;
    ++answers;
    // Exponents beyond what a double holds are JSON too.
    const std::string bounded = std::regex_replace(*answer, std::regex("[eE][+-]?[0-9]+"), "");
    EXPECT_TRUE(nlohmann::json::parse(bounded).is_object()) << *answer;
  }
  EXPECT_GT(answers, 15);
}

TEST(Compile, BadSchemasAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not JSON"},
      {"{\"type\": ", "not JSON"},
      {"{} x", "not JSON"},
      {"3", "an object or a boolean"},
      {"false", "false"},
      {R"({"type": "strin"})", "strin"},
      {R"({"type": "string", "pattern": "("})", "parenthes"},
      {R"({"type": "string", "pattern": "a", "maxLength": 3})", "maxLength"},
      {R"({"type": "number", "multipleOf": 0.1})", "multipleOf"},
      {R"({"type": "string", "minLength": 3, "maxLength": 2})", "maxLength"},
      {R"({"type": "integer", "minimum": 3, "maximum": 2})", ""},
      {R"({"$ref": "#/$defs/none"})", "none"},
      {R"({"$ref": "http://example.com/schema"})", "example.com"},
      {R"({"$ref": "#"})", "ircular"},
      {R"({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]})", ""},
      {R"({"minLength": 3})", "\"type\" is missing"},
      {R"({"type": "array", "items": {"type": "string"}, "uniqueItems": true})", "uniqueItems"},
      {R"({"not": {"type": "string"}})", "\"not\""},
      {R"({"type": "object", "properties": {"a": {"if": {}}}})", "properties.a"},
      {R"({"type": "object", "required": ["a"]})", "\"a\""},
      {R"({"anyOf": [{"type": "string"}], "minLength": 2})", "beside \"anyOf\""},
      {R"({"allOf": [{"type": "string"}, {"type": "null"}]})", "allOf"},
      {R"({"oneOf": [{"type": "string"}, {"type": "string"}]})", "oneOf"},
      {R"({"type": "integer", "enum": ["a"]})", "beside \"enum\""},
      {R"({"type": "string", "format": "iri"})", "iri"},
      {R"({"enum": []})", "enum"},
      {R"({"anyOf": []})", "anyOf"},
  };
  for (const auto& [schema, words] : cases) {
    EXPECT_THAT(Message(CompileSchema(schema)), HasSubstr(words)) << schema;
  }
}

TEST(Compile, SchemasAsLibrariesWriteThem) {
  for (const char* schema :
       {"{}", "true", R"({"type": ["string", "null"]})",
        R"({"title": "T", "description": "d", "type": "object", "properties": {"a": {"anyOf":
            [{"type": "integer"}, {"type": "null"}], "default": null, "title": "A"}}})",
        R"({"type": "string", "enum": ["a", "b"]})", R"({"type": "integer", "const": 3})",
        R"({"type": "string", "format": "date-time"})", R"({"type": "string", "format": "int32"})",
        R"({"type": "object", "additionalProperties": {"type": "integer"}})",
        R"({"allOf": [{"type": "string"}]})", R"({"x-note": 1, "type": "null"})",
        R"({"oneOf": [{"type": "string"}, {"type": "integer"}]})"}) {
    const auto grammar = CompileSchema(schema);
    EXPECT_TRUE(grammar.ok()) << schema << ": " << grammar.status();
  }
}

TEST(Compile, BadRegularExpressionsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "empty"},          {"(", "parenthesis"},         {"a)", "Unmatched"},
      {"[a", "Unclosed"},     {"a**", "repetition"},        {"a{2", "repetition"},
      {"(?=a)", "Lookahead"}, {"(a)\\1", "Backreference"},  {"\\p{L}", "not supported"},
      {"a$b", "'$'"},         {"\\bword", "Word boundary"}, {"a{3,1}", ""}};
  for (const auto& [regex, words] : cases) {
    EXPECT_THAT(Message(CompileRegex(regex)), HasSubstr(words)) << regex;
  }
}

TEST(Compile, SourcesAreBounded) {
  EXPECT_THAT(Message(CompileRegex(std::string(1 << 20, 'a'))),
              AllOf(HasSubstr("1048576 bytes"), HasSubstr("65536")));
  EXPECT_THAT(Message(CompileSchema(std::string(1 << 20, ' '))), HasSubstr("65536"));
  const auto repeat = [](const char* text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  EXPECT_THAT(Message(CompileRegex(repeat("(", 5000) + "a" + repeat(")", 5000))),
              HasSubstr("5000 deep"));
  EXPECT_THAT(Message(CompileSchema(repeat("[", 30'000))), HasSubstr("30000 deep"));
  EXPECT_THAT(Message(CompileSchema(repeat(R"({"items":)", 5000) + "{}" + repeat("}", 5000))),
              HasSubstr("5001 deep"));
  EXPECT_TRUE(CompileRegex("[((((((((((((]" + repeat("\\(", 500)).ok()) << "no groups at all";
}

TEST(Compile, WhatTakesTooLongOrTooMuchIsStopped) {
  std::string optional;
  for (int i = 0; i < 3000; ++i) optional += "a?";
  const Source slow = {Source::Kind::kRegex, optional};
  EXPECT_THAT(Message(Grammar::Compile(slow, MakeVocabulary(), {.time = absl::Milliseconds(50)})),
              HasSubstr("more than 50ms"));
  EXPECT_THAT(Message(Grammar::Compile(slow, MakeVocabulary(), {.bytes = 1 << 20})),
              HasSubstr("more than 1 MiB"));
  const std::atomic<bool> cancelled = true;
  EXPECT_EQ(Grammar::Compile(slow, MakeVocabulary(), {}, &cancelled).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace terminus::grammar
