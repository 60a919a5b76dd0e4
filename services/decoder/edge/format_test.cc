// Output formats, through a real server with a toy of a model.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/errors.h"
#include "services/decoder/testing/service_fixture.h"

namespace terminus::services::decoder::edge {
namespace {

using decoder::testing::Answer;
using decoder::testing::ByteCodec;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr char kSchema[] = R"({"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 6}, "count": {"type": "integer", "maximum": 99,
    "minimum": 0}}, "required": ["name", "count"]})";

class FormatTest : public decoder::testing::ServiceFixture {
 protected:
  // Every token is likely somewhere, white space too.
  static Setup AnyByte() {
    Setup setup;
    setup.model.first_likely = 0;
    setup.model.first_special = 128;
    setup.model.eos_token = ByteCodec::kEos;
    setup.model.max_context = 512;
    setup.model.kv_blocks = 512;
    return setup;
  }

  static v1::DecoderGenerateRequest AskFor(const std::string& schema) {
    auto request = Ask("hello", 300);
    request.mutable_request()->set_json_schema(schema);
    request.mutable_request()->mutable_sampling()->set_temperature(1);
    request.mutable_request()->mutable_sampling()->set_seed(3);
    return request;
  }

  static v1::DecoderGenerateRequest AskForRegex(const std::string& regex, uint32_t max_tokens) {
    auto request = Ask("hello", max_tokens);
    request.mutable_request()->set_regex(regex);
    return request;
  }

  Answer ExpectFault(const v1::DecoderGenerateRequest& request, absl::StatusCode code,
                     const std::string& field, const std::string& words) {
    Answer answer = Generate(request);
    EXPECT_EQ(answer.status.code(), code) << answer.status;
    EXPECT_EQ(base::Field(answer.status), field);
    EXPECT_THAT(std::string(answer.status.message()), HasSubstr(words));
    return answer;
  }

  double Refused(const std::string& reason) {
    return Value("terminus_decoder_grammar_refused_total{reason=\"" + reason + "\"}");
  }
};

std::string Repeat(const char* text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

void ExpectAsTheSchemaSays(const std::string& text) {
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(value.is_object()) << text;
  EXPECT_EQ(value.size(), 2u) << text;
  EXPECT_TRUE(value["name"].is_string()) << text;
  EXPECT_TRUE(value["count"].is_number_integer()) << text;
}

TEST_F(FormatTest, EachOfEightChoicesIsAsTheSchemaSays) {
  Start(AnyByte());
  auto request = AskFor(kSchema);
  request.mutable_request()->mutable_sampling()->set_choices(8);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  ASSERT_EQ(answer.finish.size(), 8u);
  int ended = 0;
  for (const auto& [choice, text] : answer.text) {
    if (answer.finish.at(choice) == v1::FINISH_REASON_STOP) {
      ++ended;
      ExpectAsTheSchemaSays(text);
    }
  }
  EXPECT_GT(ended, 4);
  EXPECT_NE(answer.text.at(0), answer.text.at(1));
  ExpectNothingLeft();
}

TEST_F(FormatTest, LogprobsStandBesideTheTokens) {
  Start(AnyByte());
  auto request = AskFor(kSchema);
  request.mutable_request()->mutable_sampling()->set_top_logprobs(2);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.logprobs.at(0).size(), answer.tokens.at(0).size());
}

TEST_F(FormatTest, RegularExpressionsAndObjects) {
  Start(AnyByte());
  auto request = Ask("hello", 60);
  request.mutable_request()->set_regex("(yes|no){3}!");
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_THAT(answer.text.at(0), ::testing::MatchesRegex("(yes|no)(yes|no)(yes|no)!"));
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_STOP);
  EXPECT_EQ(answer.tokens.at(0).back(), ByteCodec::kEos);
  request.mutable_request()->set_json_object(true);
  const Answer object = Generate(request);
  ASSERT_TRUE(object.status.ok()) << object.status;
  EXPECT_EQ(object.text.at(0)[0], '{');
}

// The stop string is part of what the grammar wants, and comes in several tokens.
TEST_F(FormatTest, AStopStringInsideAFormat) {
  Start(AnyByte());
  auto request = Ask("hello", 60);
  request.mutable_request()->set_regex("abc(STOP)def");
  request.mutable_request()->mutable_sampling()->add_stop("TOP");
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.text.at(0), "abcS");
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_STOP);
  ExpectNothingLeft();
}

TEST_F(FormatTest, AnAnswerThatReachesItsLengthIsTheBeginningOfOne) {
  Start(AnyByte());
  auto request = Ask("hello", 4);
  request.mutable_request()->set_regex("(abc){9}");
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.text.at(0), "abca");
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_LENGTH);
}

TEST_F(FormatTest, WhatCannotBeCompiledIsNamed) {
  Start(AnyByte());
  auto request = AskFor("{");
  ExpectFault(request, absl::StatusCode::kInvalidArgument, "json_schema", "not JSON");
  request.mutable_request()->set_regex("(");
  ExpectFault(request, absl::StatusCode::kInvalidArgument, "regex", "parenthesis");
  EXPECT_EQ(Refused("INVALID_REQUEST"), 2);
  EXPECT_EQ(Value("terminus_decoder_grammar_cache_lookups_total{result=\"miss\"}"), 2);
  ExpectNothingLeft();
}

TEST_F(FormatTest, ADeadlineEndsTheCompilation) {
  Setup setup = AnyByte();
  std::promise<void> stopped;
  setup.compile = [&stopped](const grammar::Source&,
                             const std::atomic<bool>& cancelled) -> grammar::Compiled {
    while (!cancelled) std::this_thread::yield();
    stopped.set_value();
    return absl::CancelledError("nobody waits");
  };
  Start(setup);
  const Answer answer = Generate(AskForRegex("ab", 9), absl::Milliseconds(100));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kDeadlineExceeded) << answer.status;
  stopped.get_future().wait();
  ExpectNothingLeft();
}

TEST_F(FormatTest, WhatTakesTooMuchToCompileIsRefusedByItsField) {
  Setup setup = AnyByte();
  setup.grammar.compile_time = absl::Milliseconds(1);
  Start(setup);
  const Answer slow = ExpectFault(AskForRegex(Repeat("a?", 3000), 9),
                                  absl::StatusCode::kInvalidArgument, "regex", "more than 1ms");
  EXPECT_EQ(base::Reason(slow.status), "FORMAT_TOO_SLOW");
  EXPECT_EQ(Refused("FORMAT_TOO_SLOW"), 1);
  setup = AnyByte();
  setup.grammar.compile_bytes = 1 << 20;
  Start(setup);
  Json schema = {{"type", "object"}};
  for (int i = 0; i < 200; ++i) schema["properties"]["name" + std::to_string(i)] = true;
  const Answer large = ExpectFault(AskFor(schema.dump()), absl::StatusCode::kInvalidArgument,
                                   "json_schema", "more than 1 MiB of memory");
  EXPECT_EQ(base::Reason(large.status), "FORMAT_TOO_LARGE");
  EXPECT_EQ(Refused("FORMAT_TOO_LARGE"), 1);
  ExpectFault(AskForRegex(std::string(65537, 'a'), 9), absl::StatusCode::kInvalidArgument, "regex",
              "65537 bytes, at most 65536");
  EXPECT_EQ(Generate(AskForRegex("(yes|no)", 9)).finish.at(0), v1::FINISH_REASON_STOP);
  ExpectNothingLeft();
}

// The other answers, one with a format of its own, are complete before the slow format is refused.
TEST_F(FormatTest, AFormatThatIsSlowToCompileDelaysNobodyElse) {
  Setup setup = AnyByte();
  std::promise<void> begun;
  std::promise<void> others;
  const auto ended = others.get_future().share();
  setup.compile = [&begun, ended](const grammar::Source& source, const std::atomic<bool>&) {
    if (source.text != "slow") return CompileFormat(source, {});
    begun.set_value();
    ended.wait();
    return CompileFormat({grammar::Source::Kind::kRegex, Repeat("a?", 3000)},
                         {.compile_time = absl::Milliseconds(1)});
  };
  Start(setup);
  auto slow = std::async(std::launch::async, [this] { return Generate(AskForRegex("slow", 9)); });
  begun.get_future().wait();
  EXPECT_EQ(Generate(Ask("hello", 20)).text.at(0), Expected("hello", 20));
  EXPECT_EQ(Generate(AskForRegex("abc", 9)).text.at(0), "abc");
  EXPECT_EQ(slow.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  others.set_value();
  const absl::Status status = slow.get().status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(base::Field(status), "regex");
  ExpectNothingLeft();
}

// After each token many numbers of repetitions are possible, so the state of the answer grows.
TEST_F(FormatTest, AnAnswerThatTakesTooMuchToFollowEndsByItsField) {
  Setup setup = AnyByte();
  setup.grammar.answer_bytes = 1 << 20;
  Start(setup);
  const Answer answer = ExpectFault(AskForRegex("(a|aa){250}!", 250),
                                    absl::StatusCode::kInvalidArgument, "regex", "more than 1 MiB");
  EXPECT_EQ(base::Reason(answer.status), "FORMAT_TOO_LARGE");
  EXPECT_EQ(Refused("FORMAT_TOO_LARGE"), 1);
  const std::string& text = answer.text.at(0);
  EXPECT_GT(text.size(), 10u);
  EXPECT_EQ(text, std::string(text.size(), 'a'));
  EXPECT_EQ(answer.finish.count(0), 0u);
  ExpectNothingLeft();
}

// The model's folder forbids what the format asks for.
TEST_F(FormatTest, AnAnswerThatNoTokenContinuesEndsByItsField) {
  Setup setup = AnyByte();
  setup.rules.suppress_tokens = {'c'};
  Start(setup);
  const Answer answer =
      ExpectFault(AskForRegex("abcd", 9), absl::StatusCode::kFailedPrecondition, "regex",
                  "that the output format allows: the generation settings rule out every token");
  EXPECT_EQ(base::Reason(answer.status), "NO_TOKEN_LEFT");
  EXPECT_EQ(Refused("NO_TOKEN_LEFT"), 1);
  EXPECT_EQ(answer.text.at(0), "ab");
  EXPECT_EQ(Generate(AskForRegex("abd", 9)).text.at(0), "abd");
  ExpectNothingLeft();
}

TEST_F(FormatTest, AModelThatFollowsNoGrammar) {
  Setup setup = AnyByte();
  setup.formats = false;
  Start(setup);
  ExpectFault(AskFor("{}"), absl::StatusCode::kFailedPrecondition, "json_schema", "formats");
  EXPECT_EQ(Refused("NO_OUTPUT_FORMAT"), 1);
  EXPECT_TRUE(Generate(Ask("hello", 3)).status.ok());
}

}  // namespace
}  // namespace terminus::services::decoder::edge
