#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/errors.h"
#include "common/rpc/context.h"
#include "services/decoder/testing/service_fixture.h"

namespace terminus::services::decoder::edge {
namespace {

using decoder::testing::Answer;
using decoder::testing::ByteCodec;
using ::testing::HasSubstr;
using ::testing::Not;

using GenerateTest = decoder::testing::ServiceFixture;

TEST_F(GenerateTest, StreamsWhatTheModelSaysAndUsageLast) {
  Start({});
  const Answer answer = Generate(Ask("hello", 20));
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.text.at(0), Expected("hello", 20));
  EXPECT_EQ(answer.tokens.at(0).size(), 20u);
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_LENGTH);
  EXPECT_TRUE(answer.usage_was_last);
  EXPECT_EQ(answer.usage.prompt_tokens(), 7u);
  EXPECT_EQ(answer.usage.generated_tokens(), 20u);
  EXPECT_GT(answer.messages, 1);
  for (const char* key :
       {"x-request-id", "terminus-queue-ms", "terminus-prefill-ms", "terminus-decode-ms"}) {
    EXPECT_EQ(answer.trailers.count(key), 1u) << key;
  }
  ExpectNothingLeft();
  EXPECT_EQ(Value("terminus_decoder_calls_total{code=\"OK\",method=\"Generate\"}"), 1);
  EXPECT_EQ(Value("terminus_decoder_time_to_first_token_seconds_count"), 1);
  EXPECT_EQ(Value("terminus_decoder_inter_token_seconds_count"), 19);
}

TEST_F(GenerateTest, AnEndOfSequenceTokenIsCountedButNotShown) {
  Setup setup;
  setup.model.eos_token = ByteCodec::kEos;
  setup.model.eos_period = 8;
  Start(setup);
  const Answer answer = Generate(Ask("hello", 200));
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_STOP);
  EXPECT_EQ(answer.tokens.at(0).back(), ByteCodec::kEos);
  EXPECT_EQ(answer.text.at(0).size() + 1, answer.tokens.at(0).size());
  EXPECT_EQ(answer.usage.generated_tokens(), answer.tokens.at(0).size());
}

TEST_F(GenerateTest, AGenerationEndsOnTheModelThatItBeganOn) {
  Start({});
  const auto request = Ask("hello", 200);
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, request);
  v1::GenerateResponse first;
  ASSERT_TRUE(reader->Read(&first));
  serving::ModelSlots& slots = service_->slots();
  ASSERT_TRUE(slots.Begin("load", absl::InfiniteFuture(), absl::Now()).ok());
  auto other = std::make_shared<ServedBundle>(
      ServedBundle{.name = "vectors", .space_id = "other", .dimension = 2, .device = "cpu"});
  ASSERT_TRUE(slots.End("load", DecoderService::Host(std::move(other))).ok());
  ASSERT_TRUE(slots.Commit("load").ok());
  EXPECT_EQ(base::Reason(Generate(request).status), base::kReasonNoLanguageModel);
  const auto of_space = [&](const std::string& space) {
    grpc::ClientContext named;
    named.AddMetadata(rpc::kSpaceIdKey, space);
    const auto stream = stub_->Generate(&named, request);
    return ReadAll(named, *stream);
  };
  EXPECT_EQ(of_space("space").text.at(0), Expected("hello", 200));
  slots.Finish("load");
  EXPECT_EQ(base::Reason(of_space("space").status), base::kReasonModelNotLoaded);
  const Answer rest = ReadAll(context, *reader);
  ASSERT_TRUE(rest.status.ok()) << rest.status;
  EXPECT_EQ(first.delta().text() + rest.text.at(0), Expected("hello", 200));
  ExpectNothingLeft();
}

TEST_F(GenerateTest, StopsBeforeAStopString) {
  Start({});
  const std::string whole = Expected("tell me", 60);
  const std::string stop = whole.substr(20, 3);
  auto request = Ask("tell me", 60);
  request.mutable_request()->mutable_sampling()->add_stop(stop);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.text.at(0), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_STOP);
  EXPECT_EQ(answer.tokens.at(0).size(), whole.find(stop) + 3);
  EXPECT_EQ(answer.usage.generated_tokens(), answer.tokens.at(0).size());
  ExpectNothingLeft();
}

TEST_F(GenerateTest, AStopTokenEndsItBehindTheLeastLength) {
  Start({});
  const std::string whole = Expected("tell me", 60);
  auto request = Ask("tell me", 60);
  v1::SamplingParameters& sampling = *request.mutable_request()->mutable_sampling();
  sampling.add_stop_token_ids(static_cast<unsigned char>(whole[20]));
  const Answer first = Generate(request);
  ASSERT_TRUE(first.status.ok()) << first.status;
  EXPECT_EQ(first.text.at(0), whole.substr(0, whole.find(whole[20])));
  EXPECT_EQ(first.finish.at(0), v1::FINISH_REASON_STOP);
  sampling.set_min_tokens(20);
  EXPECT_EQ(Generate(request).text.at(0), whole.substr(0, 20));
  ExpectNothingLeft();
}

TEST_F(GenerateTest, EndOfSequenceTokensCanBeIgnored) {
  Setup setup;
  setup.model.eos_token = ByteCodec::kEos;
  setup.model.eos_period = 8;
  Start(setup);
  auto request = Ask("hello", 60);
  request.mutable_request()->mutable_sampling()->set_ignore_eos(true);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.tokens.at(0).size(), 60u);
  EXPECT_THAT(answer.tokens.at(0), ::testing::Contains(ByteCodec::kEos));
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_LENGTH);
}

TEST_F(GenerateTest, WhatMightHaveBecomeAStopStringIsShownAtTheEnd) {
  Start({});
  const std::string whole = Expected("tell me", 30);
  auto request = Ask("tell me", 30);
  request.mutable_request()->mutable_sampling()->add_stop(whole.substr(25) + "never");
  const Answer answer = Generate(request);
  EXPECT_EQ(answer.text.at(0), whole);
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_LENGTH);
}

TEST_F(GenerateTest, OnlyWholeCharactersAreShown) {
  Setup setup;
  // Continuation and lead bytes of two-byte characters, and little else.
  setup.model.first_likely = 0xbc;
  setup.model.first_special = 0xc6;
  Start(setup);
  for (const char* prompt : {"a", "b", "c", "d"}) {
    grpc::ClientContext context;
    auto reader = stub_->Generate(&context, Ask(prompt, 40));
    v1::GenerateResponse response;
    // A proto3 string that is not UTF-8 would not even be parsed.
    int deltas = 0;
    while (reader->Read(&response)) ++deltas;
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_GT(deltas, 1);
  }
}

TEST_F(GenerateTest, ChoicesDifferAndEndEachOnItsOwn) {
  Start({});
  auto request = Ask("several", 25);
  request.mutable_request()->mutable_sampling()->set_choices(4);
  request.mutable_request()->mutable_sampling()->set_temperature(1);
  request.mutable_request()->mutable_sampling()->set_seed(5);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.finish.size(), 4u);
  EXPECT_NE(answer.text.at(0), answer.text.at(1));
  EXPECT_NE(answer.text.at(2), answer.text.at(3));
  EXPECT_EQ(answer.usage.generated_tokens(), 100u);
  EXPECT_EQ(answer.usage.prompt_tokens(), 9u);
  // The same seed gives the same again; another another.
  EXPECT_EQ(Generate(request).text, answer.text);
  request.mutable_request()->mutable_sampling()->set_seed(6);
  EXPECT_NE(Generate(request).text, answer.text);
  // Without a seed two calls differ.
  request.mutable_request()->mutable_sampling()->clear_seed();
  EXPECT_NE(Generate(request).text, Generate(request).text);
  ExpectNothingLeft();
}

TEST_F(GenerateTest, LogprobsComeWithEachTokenWhenAskedFor) {
  Start({});
  auto request = Ask("x", 10);
  EXPECT_TRUE(Generate(request).logprobs.at(0).empty());
  request.mutable_request()->mutable_sampling()->set_top_logprobs(3);
  const Answer answer = Generate(request);
  ASSERT_EQ(answer.logprobs.at(0).size(), 10u);
  for (size_t i = 0; i < 10; ++i) {
    const v1::TokenLogprobs& logprobs = answer.logprobs.at(0)[i];
    EXPECT_EQ(logprobs.chosen().token_id(), static_cast<uint32_t>(answer.tokens.at(0)[i]));
    ASSERT_EQ(logprobs.top_size(), 3);
    // Greedy: the chosen one is the likeliest.
    EXPECT_EQ(logprobs.top(0).token_id(), logprobs.chosen().token_id());
    EXPECT_FLOAT_EQ(logprobs.top(0).logprob(), logprobs.chosen().logprob());
    EXPECT_LE(logprobs.chosen().logprob(), 0);
    EXPECT_GE(logprobs.top(0).logprob(), logprobs.top(1).logprob());
  }
}

TEST_F(GenerateTest, APromptOverTheContextIsRefusedWithBothNumbers) {
  Start({});
  // 256 tokens of context: two go to the template, one to the answer.
  EXPECT_TRUE(Generate(Ask(std::string(253, 'a'), 10)).status.ok());
  const Answer answer = Generate(Ask(std::string(254, 'a'), 10));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Reason(answer.status), "TEXT_TOO_LONG");
  EXPECT_EQ(base::Field(answer.status), "messages");
  EXPECT_THAT(std::string(answer.status.message()), HasSubstr("256 tokens, the context 256"));
  ExpectNothingLeft();
}

// A prompt that could never be computed does not wait for blocks that never come.
TEST_F(GenerateTest, APromptThatAllBlocksCannotHoldIsRefused) {
  Setup setup;
  setup.model.kv_blocks = 4;
  Start(setup);
  EXPECT_TRUE(Generate(Ask(std::string(61, 'a'), 10)).status.ok());
  const Answer answer = Generate(Ask(std::string(62, 'a'), 10));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Field(answer.status), "messages");
  EXPECT_THAT(std::string(answer.status.message()), HasSubstr("64 tokens, the context 64"));
  ExpectNothingLeft();
}

TEST_F(GenerateTest, TheContextEndsAnAnswer) {
  Start({});
  auto request = Ask(std::string(200, 'a'), 10'000);
  const Answer answer = Generate(request);
  EXPECT_EQ(answer.finish.at(0), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(answer.tokens.at(0).size(), 54u);
  request.mutable_request()->mutable_sampling()->clear_max_tokens();
  EXPECT_EQ(Generate(request).tokens.at(0).size(), 54u);
}

TEST_F(GenerateTest, APromptThatBeginsAlikeIsTakenFromTheCache) {
  Start({});
  const std::string beginning(60, 'q');
  EXPECT_EQ(Generate(Ask(beginning + "one", 5)).usage.cached_prompt_tokens(), 0u);
  const Answer answer = Generate(Ask(beginning + "two", 5));
  EXPECT_EQ(answer.usage.cached_prompt_tokens(), 48u);
  EXPECT_EQ(answer.text.at(0), Expected(beginning + "two", 5));
}

TEST_F(GenerateTest, AModelThatFailsIsAnErrorAndTheNextCallIsServed) {
  Setup setup;
  setup.model.poison_token = ByteCodec::kAssistant;
  Start(setup);
  const Answer answer = Generate(Ask("x", 5));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(answer.status.message()), HasSubstr("nan"));
  EXPECT_FALSE(answer.usage_was_last);
  ExpectNothingLeft();
}

TEST_F(GenerateTest, OtherModelAndBadRequestsAreRefused) {
  Start({});
  auto request = Ask("x", 5);
  request.mutable_request()->set_model("other");
  EXPECT_EQ(Generate(request).status.code(), absl::StatusCode::kNotFound);
  request.mutable_request()->set_model("toy");
  EXPECT_TRUE(Generate(request).status.ok());
  request.mutable_request()->mutable_sampling()->set_top_p(2);
  const Answer answer = Generate(request);
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Field(answer.status), "sampling.top_p");
  EXPECT_EQ(Value("terminus_decoder_calls_total{code=\"INVALID_ARGUMENT\",method=\"Generate\"}"),
            1);
  ExpectNothingLeft();
}

// Never empty text in the place of an error.
TEST_F(GenerateTest, ATokenThatNoTextCanBeMadeOfFailsTheCall) {
  Start({});
  const std::string expected = Expected("hello", 12);
  Start({.unreadable_token = expected[5]});
  const Answer answer = Generate(Ask("hello", 12));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(answer.status.message(), "the token is unreadable");
  EXPECT_EQ(answer.finish.size(), 0u);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace terminus::services::decoder::edge
