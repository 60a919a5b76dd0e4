// Output formats, through a real server with a toy of a model.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

  void ExpectFault(const v1::DecoderGenerateRequest& request, absl::StatusCode code,
                   const std::string& field, const std::string& words) {
    const absl::Status status = Generate(request).status;
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(base::Field(status), field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
};

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
  ExpectNothingLeft();
}

TEST_F(FormatTest, ADeadlineEndsTheCompilation) {
  Start(AnyByte());
  std::string optional;
  for (int i = 0; i < 3000; ++i) optional += "b?";
  auto request = AskFor("");
  request.mutable_request()->set_regex(optional);
  const Answer answer = Generate(request, absl::Milliseconds(100));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kDeadlineExceeded) << answer.status;
  ExpectNothingLeft();
}

TEST_F(FormatTest, AModelThatFollowsNoGrammar) {
  Setup setup = AnyByte();
  setup.formats = false;
  Start(setup);
  ExpectFault(AskFor("{}"), absl::StatusCode::kFailedPrecondition, "json_schema", "formats");
  EXPECT_TRUE(Generate(Ask("hello", 3)).status.ok());
}

}  // namespace
}  // namespace terminus::services::decoder::edge
