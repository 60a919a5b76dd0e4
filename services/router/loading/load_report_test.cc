#include "services/router/loading/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "services/router/discovery/space.h"

namespace terminus::services::router::loading {
namespace {

using discovery::Host;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<Host> kHosts = {
    {.service = "text", .modality = v1::MODALITY_TEXT, .address = "t0"},
    {.service = "vision", .modality = v1::MODALITY_IMAGE, .address = "v0"},
    {.service = "decoder", .address = "d0"}};

v1::StageModelResponse Encoder(v1::Modality modality, const std::string& space) {
  v1::StageModelResponse staged;
  v1::DescribeResponse* description = staged.mutable_encoder();
  description->set_protocol(discovery::kEncoderProtocol);
  description->set_modality(modality);
  description->set_space_id(space);
  description->set_dimension(4);
  description->set_model("m");
  description->set_max_tokens(modality == v1::MODALITY_TEXT ? 77 : 0);
  return staged;
}

v1::StageModelResponse Decoder(const std::string& space) {
  v1::StageModelResponse staged;
  staged.mutable_decoder()->set_space_id(space);
  staged.mutable_decoder()->set_dimension(4);
  staged.mutable_decoder()->set_generates(true);
  staged.mutable_decoder()->set_max_context(512);
  return staged;
}

v1::StageModelResponse Absent() {
  v1::StageModelResponse staged;
  staged.set_absent(true);
  return staged;
}

TEST(LoadReportTest, AllStagedIsOneModel) {
  const auto model = Combine(
      kHosts, {Encoder(v1::MODALITY_TEXT, "s"), Encoder(v1::MODALITY_IMAGE, "s"), Decoder("s")});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "m");
  EXPECT_EQ(model->space_id, "s");
  EXPECT_EQ(model->dimension, 4);
  EXPECT_EQ(model->max_tokens, 77);
  EXPECT_TRUE(model->generates);
  EXPECT_EQ(model->max_context, 512);
  EXPECT_TRUE(model->Takes(v1::MODALITY_IMAGE));
}

TEST(LoadReportTest, WhatTheBundleLacksIsNotTaken) {
  const std::vector<Host> hosts = {kHosts[1], kHosts[0]};
  const auto model = Combine(hosts, {Absent(), Encoder(v1::MODALITY_TEXT, "s")});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->lacks, ElementsAre(v1::MODALITY_IMAGE));
  EXPECT_FALSE(model->Takes(v1::MODALITY_IMAGE));
  EXPECT_EQ(Combine(hosts, {Absent(), Absent()}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(LoadReportTest, ALanguageModelAloneIsAModel) {
  v1::StageModelResponse decoder = Decoder("s");
  decoder.mutable_decoder()->set_dimension(0);
  decoder.mutable_decoder()->set_model("smol");
  const auto model = Combine(kHosts, {Absent(), Absent(), decoder});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "smol");
  EXPECT_EQ(model->space_id, "s");
  EXPECT_EQ(model->dimension, 0);
  EXPECT_TRUE(model->generates);
  EXPECT_THAT(model->lacks, ElementsAre(v1::MODALITY_TEXT, v1::MODALITY_IMAGE));
}

TEST(LoadReportTest, ADecoderThatOnlyScoresIsNoModel) {
  v1::StageModelResponse decoder = Decoder("s");
  decoder.mutable_decoder()->set_generates(false);
  const absl::Status refused = Combine(kHosts, {Absent(), Absent(), decoder}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Reason(refused), base::kReasonNotInBundle);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("text, vision, decoder"));
}

TEST(LoadReportTest, OtherFoldersBehindOnePathAreNotMixed) {
  const auto other = Combine(
      kHosts, {Encoder(v1::MODALITY_TEXT, "s"), Encoder(v1::MODALITY_IMAGE, "t"), Decoder("s")});
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("vision at v0"));
}

TEST(LoadReportTest, TheFirstFailureGivesTheCodeAndEachIsSaidOnce) {
  StageAnswers answers = {v1::StageModelResponse(), absl::UnavailableError("gone"), Decoder("s")};
  rpc::ToProto(base::MakeError(absl::StatusCode::kDataLoss, "WHY", "a\nb"),
               answers[0]->mutable_status());
  TakeStatuses(answers);
  const absl::Status status = StageStatus(kHosts, answers, "'old' stays");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(base::Reason(status), "WHY");
  EXPECT_EQ(status.message(),
            "nothing was changed, 'old' stays:\ntext at t0: a\nb\nvision at v0: gone");
  const std::vector<Host> two = {kHosts[0], kHosts[0]};
  const absl::Status same =
      StageStatus(two, {absl::DataLossError("x y"), absl::DataLossError("x y")}, "stays");
  EXPECT_THAT(std::string(same.message()), HasSubstr("text at t0: the same"));
  EXPECT_TRUE(StageStatus(kHosts, {Absent(), Absent(), Absent()}, "").ok());
}

TEST(LoadReportTest, ALongListIsCutWhereALineEndsAndSaysSo) {
  std::string text = "bad:";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&text, "\n  layer", i, ": missing");
  const absl::Status cut = Shorten(absl::InvalidArgumentError(text));
  EXPECT_LE(cut.message().size(), kMaxMessageBytes);
  EXPECT_THAT(std::string(cut.message()), HasSubstr("layer0: missing\n"));
  EXPECT_THAT(std::string(cut.message()), HasSubstr(" more lines"));
  const absl::Status brief = absl::InvalidArgumentError("bad:\n  a");
  EXPECT_EQ(Shorten(brief), brief);
  EXPECT_THAT(std::string(Shorten(brief).message()), Not(HasSubstr("more lines")));
}

}  // namespace
}  // namespace terminus::services::router::loading
