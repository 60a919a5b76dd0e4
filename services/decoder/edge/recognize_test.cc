#include "services/decoder/edge/recognize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/errors.h"
#include "common/tensor/tensor.h"

namespace terminus::services::decoder::edge {
namespace {

v1::Tensor Rows(const std::vector<float>& values) {
  v1::Tensor tensor = tensor::FromFloats(values);
  tensor.clear_shape();
  tensor.add_shape(static_cast<int64_t>(values.size() / 2));
  tensor.add_shape(2);
  return tensor;
}

// One frame a second, from second 1 on.
v1::DecoderRecognizeRequest Request(const std::vector<float>& frames,
                                    const std::vector<float>& labels) {
  v1::DecoderRecognizeRequest request;
  *request.mutable_frames() = Rows(frames);
  *request.mutable_label_vectors() = Rows(labels);
  for (size_t i = 0; i < frames.size() / 2; ++i) {
    request.add_frame_us(1'000'000 * static_cast<int64_t>(i + 1));
  }
  for (size_t i = 0; i < labels.size() / 2; ++i) {
    request.add_labels(std::string(1, static_cast<char>('a' + i)));
  }
  return request;
}

v1::RecognizeResponse Answer(const v1::DecoderRecognizeRequest& request, double scale = 1) {
  v1::RecognizeResponse response;
  const absl::Status status = Recognize(request, 2, scale, response);
  EXPECT_TRUE(status.ok()) << status;
  return response;
}

absl::Status Fault(const v1::DecoderRecognizeRequest& request) {
  v1::RecognizeResponse response;
  return Recognize(request, 2, 1, response);
}

TEST(Recognize, ProbabilitiesAreTheSoftmaxOfScaledCosines) {
  // Frames of different lengths count the same: their mean points to the middle.
  const auto response = Answer(Request({10, 0, 0, 0.1f}, {1, 1, 1, 0, -1, -1}), 2);
  ASSERT_EQ(response.actions_size(), 3);
  EXPECT_EQ(response.frames(), 2u);
  const double a = std::exp(2.0);
  const double b = std::exp(2 * std::sqrt(0.5));
  const double c = std::exp(-2.0);
  EXPECT_EQ(response.actions(0).label(), "a");
  EXPECT_NEAR(response.actions(0).score(), a / (a + b + c), 1e-6);
  EXPECT_EQ(response.actions(1).label(), "b");
  EXPECT_NEAR(response.actions(1).score(), b / (a + b + c), 1e-6);
  EXPECT_NEAR(response.actions(2).score(), c / (a + b + c), 1e-6);
}

TEST(Recognize, SpansAreTheLongestRunInWhichTheLabelIsBest) {
  // a b b b a, seconds 1 to 5.
  const auto response = Answer(Request({1, 0, 0, 1, 0, 1, 0.1f, 1, 1, 0}, {1, 0, 0, 1}));
  EXPECT_EQ(response.actions(0).label(), "b");
  EXPECT_EQ(response.actions(0).start_us(), 2'000'000);
  EXPECT_EQ(response.actions(0).end_us(), 5'000'000);
  EXPECT_EQ(response.actions(1).start_us(), 1'000'000) << "of equally long runs the first";
  EXPECT_EQ(response.actions(1).end_us(), 2'000'000);
}

TEST(Recognize, ALabelThatIsNeverBestSpansWhereItIsAboveItsMean) {
  // The second label is always behind the first, but closest to it in the last two frames.
  const auto response = Answer(Request({1, 0, 1, 0.1f, 1, 0.5f, 1, 0.6f}, {1, 0.3f, -1, 5}));
  const v1::RecognizedAction& behind = response.actions(1);
  EXPECT_EQ(behind.label(), "b");
  EXPECT_EQ(behind.start_us(), 3'000'000);
  EXPECT_EQ(behind.end_us(), 5'000'000) << "the last frame lasts as long as the one before";
}

TEST(Recognize, OneFrameTakesNoTime) {
  const auto response = Answer(Request({1, 0}, {1, 0, 0, 1}));
  EXPECT_EQ(response.actions(0).start_us(), 1'000'000);
  EXPECT_EQ(response.actions(0).end_us(), 1'000'000);
  EXPECT_EQ(response.actions(1).start_us(), 1'000'000);
}

TEST(Recognize, TopKCutsAndFiveIsTheDefault) {
  auto request = Request({1, 0}, {1, 0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 6});
  EXPECT_EQ(Answer(request).actions_size(), 5);
  request.set_top_k(2);
  EXPECT_EQ(Answer(request).actions_size(), 2);
  request.set_top_k(100);
  EXPECT_EQ(Answer(request).actions_size(), 7);
}

TEST(Recognize, WithoutLabelsTheBundleWouldNeedAHeadOfItsOwn) {
  auto request = Request({1, 0}, {});
  request.clear_label_vectors();
  const absl::Status status = Fault(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(status), "NO_ACTION_HEAD");
}

TEST(Recognize, FaultsNameTheField) {
  const auto field_of = [](const v1::DecoderRecognizeRequest& request) {
    const absl::Status status = Fault(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return base::Field(status);
  };
  EXPECT_EQ(field_of({}), "frames");
  EXPECT_EQ(field_of(Request({}, {1, 0})), "frames");
  EXPECT_EQ(field_of(Request({1, 0, std::nanf(""), 0}, {1, 0})), "frames[1]");
  EXPECT_EQ(field_of(Request({1, 0}, {1, 0, 0, 0})), "label_vectors[1]");
  EXPECT_EQ(field_of(Request({1, 0, -1, 0}, {1, 0})), "frames");
  auto request = Request({1, 0, 0, 1}, {1, 0, 0, 1});
  request.set_labels(1, "a");
  EXPECT_EQ(field_of(request), "labels[1]");
  request.mutable_labels()->RemoveLast();
  EXPECT_EQ(field_of(request), "labels");
  request = Request({1, 0, 0, 1}, {1, 0});
  request.set_frame_us(1, 5);
  EXPECT_EQ(field_of(request), "frame_us[1]");
  request.clear_frame_us();
  EXPECT_EQ(field_of(request), "frame_us");
}

}  // namespace
}  // namespace terminus::services::decoder::edge
