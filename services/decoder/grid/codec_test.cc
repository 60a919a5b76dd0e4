#include "services/decoder/grid/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/errors.h"
#include "services/decoder/grid/runner_info.h"

namespace terminus::services::decoder::grid {
namespace {

using models::sampling::Sampled;
using ::testing::HasSubstr;

pipeline::StepResult Result() {
  pipeline::StepResult result = {.step = 70'000'000'000,
                                 .tokens = pipeline::StepTokens(),
                                 .host_time = absl::Microseconds(1234),
                                 .late = true};
  result.tokens->push_back(
      Sampled{.chosen = {.token = 5, .logprob = -0.25f},
              .top = {{.token = 5, .logprob = -0.25f}, {.token = 9, .logprob = -3.5f}}});
  result.tokens->push_back(
      base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoTokenLeft, "none"));
  result.tokens->push_back(Sampled{.chosen = {.token = 0, .logprob = 0}, .top = {}});
  return result;
}

TEST(Codec, ResultsComeBackAsTheyWere) {
  const pipeline::StepResult sent = Result();
  const auto received = DecodeResult(EncodeResult(sent));
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->step, sent.step);
  EXPECT_EQ(received->host_time, sent.host_time);
  EXPECT_TRUE(received->late);
  ASSERT_TRUE(received->tokens.ok());
  ASSERT_EQ(received->tokens->size(), 3u);
  const absl::StatusOr<Sampled>& first = received->tokens->at(0);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->chosen.token, 5);
  EXPECT_EQ(first->chosen.logprob, -0.25f);
  ASSERT_EQ(first->top.size(), 2u);
  EXPECT_EQ(first->top[1].token, 9);
  EXPECT_EQ(first->top[1].logprob, -3.5f);
  const absl::Status second = received->tokens->at(1).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(second), base::kReasonNoTokenLeft);
  EXPECT_EQ(second.message(), "none");
}

TEST(Codec, AFailedStepComesBackAsItsError) {
  const auto received =
      DecodeResult(EncodeResult({.step = 3, .tokens = absl::InternalError("no device")}));
  ASSERT_TRUE(received.ok());
  EXPECT_EQ(received->tokens.status(), absl::InternalError("no device"));
}

TEST(Codec, MasksComeBackAsTheyWere) {
  const pipeline::StepMasks masks = {{1, 0xffffffff}, {}, {7}};
  const auto received = DecodeMasks(EncodeMasks(12, masks));
  ASSERT_TRUE(received.ok());
  EXPECT_EQ(received->first, 12u);
  EXPECT_EQ(received->second, masks);
}

// A count that is larger than the bytes allocates nothing by it.
TEST(Codec, BytesThatAreCutOrLongerAreRefused) {
  const std::string result = EncodeResult(Result());
  for (size_t size = 0; size < result.size(); ++size) {
    EXPECT_FALSE(DecodeResult(absl::string_view(result).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeResult(result + "x").ok());
  const std::string masks = EncodeMasks(1, {{1, 2}, {3}});
  for (size_t size = 0; size < masks.size(); ++size) {
    EXPECT_FALSE(DecodeMasks(absl::string_view(masks).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeMasks(masks + "x").ok());
  const std::string info = EncodeInfo({.device = "cpu", .kv_blocks = 7, .samples = true});
  for (size_t size = 0; size < info.size(); ++size) {
    EXPECT_FALSE(DecodeInfo(absl::string_view(info).substr(0, size)).ok()) << size;
  }
  const auto decoded = DecodeInfo(info);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->device, "cpu");
  EXPECT_EQ(decoded->kv_blocks, 7);
}

TEST(Codec, AStatusThatIsNoneIsAnErrorAllTheSame) {
  EXPECT_EQ(DecodeStatus(EncodeStatus(absl::NotFoundError("x"))), absl::NotFoundError("x"));
  EXPECT_THAT(std::string(DecodeStatus("").message()), HasSubstr("did not say why"));
  EXPECT_FALSE(DecodeStatus(EncodeStatus(absl::OkStatus())).ok());
}

}  // namespace
}  // namespace terminus::services::decoder::grid
