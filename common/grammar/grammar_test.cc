#include "common/grammar/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "common/base/errors.h"
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

// The tokens that may come next. `status` is that of the mask.
std::vector<std::string> Next(Matcher& matcher, const Vocabulary& vocabulary,
                              const absl::Status& status = absl::OkStatus()) {
  std::vector<uint32_t> mask(vocabulary.mask_words());
  EXPECT_EQ(matcher.FillMask(absl::MakeSpan(mask)), status);
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

// Follows `a`s until the answer cannot go on, and returns why. `steps` counts them.
absl::Status FollowAs(const Grammar& grammar, Matcher& matcher, int& steps) {
  std::vector<uint32_t> mask(grammar.vocabulary().mask_words());
  absl::Status status;
  for (steps = 0; steps < 10'000; ++steps) {
    status = matcher.FillMask(absl::MakeSpan(mask));
    if (!status.ok() || !matcher.Accept('a')) return status;
  }
  return status;
}

std::string Repeat(const char* text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// The state grows with each token, because any of the optional ones may stand for it.
TEST(Matcher, AnAnswerThatTakesTooMuchMemoryEndsWithTheLimit) {
  const auto grammar = Grammar::Compile({Source::Kind::kRegex, Repeat("a?", 300)}, MakeVocabulary(),
                                        {.answer_bytes = 2 << 20});
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  Matcher matcher(*grammar);
  int steps = 0;
  const absl::Status status = FollowAs(**grammar, matcher, steps);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Reason(status), "FORMAT_TOO_LARGE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("more than 2 MiB"));
  EXPECT_GT(steps, 10);
  EXPECT_LT(steps, 300);
  EXPECT_THAT(Next(matcher, (*grammar)->vocabulary(), status), ::testing::IsEmpty());
  EXPECT_FALSE(matcher.Accept('a'));
}

TEST(Matcher, ATokenThatTakesTooLongSaysTheLimit) {
  const auto slow = Grammar::Compile({Source::Kind::kRegex, Repeat("a?", 300)}, MakeVocabulary(),
                                     {.token_time = absl::ZeroDuration()});
  EXPECT_EQ(base::Reason(slow.status()), "FORMAT_TOO_SLOW");
  EXPECT_THAT(Message(slow), HasSubstr("tokens that may come next takes more than 0"));
}

// The grammar goes on where the vocabulary does not.
TEST(Matcher, AnAnswerThatNoTokenContinuesSaysSo) {
  const auto vocabulary = Vocabulary::FromBytes({"a", "b", ""}, {2});
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  const auto grammar = Grammar::Compile({Source::Kind::kRegex, "abc"}, *vocabulary, {});
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  Matcher matcher(*grammar);
  EXPECT_TRUE(matcher.Accept(0));
  EXPECT_TRUE(matcher.Accept(1));
  std::vector<uint32_t> mask(1);
  const absl::Status status = matcher.FillMask(absl::MakeSpan(mask));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(status), "NO_TOKEN_LEFT");
  EXPECT_EQ(mask[0], 0u);
  EXPECT_THAT(Message(Grammar::Compile({Source::Kind::kRegex, "cab"}, *vocabulary, {})),
              HasSubstr("no text that the model's tokens can begin"));
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

// Not every sequence of bytes that looks like a character is one.
TEST(Matcher, AnswersAreUtf8) {
  const auto grammar = CompileRegex(".*");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  const auto accepts = [&grammar](const std::string& bytes) {
    Matcher matcher(*grammar);
    const Vocabulary& vocabulary = (*grammar)->vocabulary();
    return std::all_of(bytes.begin(), bytes.end(), [&](char byte) {
      const std::vector<std::string> next = Next(matcher, vocabulary);
      const bool allowed = std::find(next.begin(), next.end(), std::string(1, byte)) != next.end();
      EXPECT_EQ(matcher.Accept(static_cast<unsigned char>(byte)), allowed);
      return allowed;
    });
  };
  EXPECT_TRUE(accepts("a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80"));
  for (const char* bytes :
       {"\xed\xa0\x80", "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_FALSE(accepts(bytes)) << bytes;
  }
}

TEST(Matcher, JsonHasNoControlCharacters) {
  const auto grammar = CompileSchema(R"({"type": "string", "maxLength": 9})");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  Matcher matcher(*grammar);
  EXPECT_TRUE(matcher.Accept('"'));
  for (int byte = 0; byte < ' '; ++byte) EXPECT_FALSE(matcher.Accept(byte)) << byte;
  EXPECT_TRUE(matcher.Accept(' '));
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
  EXPECT_THAT(Message(CompileRegex(Repeat("(", 5000) + "a" + Repeat(")", 5000))),
              HasSubstr("5000 deep"));
  EXPECT_THAT(Message(CompileSchema(Repeat("[", 30'000))), HasSubstr("30000 deep"));
  EXPECT_THAT(Message(CompileSchema(Repeat(R"({"items":)", 5000) + "{}" + Repeat("}", 5000))),
              HasSubstr("5001 deep"));
  EXPECT_TRUE(CompileRegex("[((((((((((((]" + Repeat("\\(", 500)).ok()) << "no groups at all";
}

TEST(Compile, WhatTakesTooLongOrTooMuchIsStopped) {
  const Source slow = {Source::Kind::kRegex, Repeat("a?", 3000)};
  const auto too_slow =
      Grammar::Compile(slow, MakeVocabulary(), {.compile_time = absl::Milliseconds(50)});
  EXPECT_THAT(Message(too_slow), HasSubstr("more than 50ms"));
  EXPECT_EQ(base::Reason(too_slow.status()), "FORMAT_TOO_SLOW");
  const auto too_large = Grammar::Compile(slow, MakeVocabulary(), {.compile_bytes = 1 << 20});
  EXPECT_THAT(Message(too_large), HasSubstr("more than 1 MiB"));
  EXPECT_EQ(base::Reason(too_large.status()), "FORMAT_TOO_LARGE");
  const auto too_long = Grammar::Compile(slow, MakeVocabulary(), {.source_bytes = 100});
  EXPECT_THAT(Message(too_long), AllOf(HasSubstr("6000 bytes"), HasSubstr("at most 100")));
  EXPECT_EQ(base::Reason(too_long.status()), "FORMAT_TOO_LARGE");
  const std::atomic<bool> cancelled = true;
  EXPECT_EQ(Grammar::Compile(slow, MakeVocabulary(), {}, &cancelled).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace terminus::grammar
