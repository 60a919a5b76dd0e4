#include "services/router/edge/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/tensor/tensor.h"

namespace terminus::services::router::edge {
namespace {

using ::testing::HasSubstr;

class ValidateTest : public ::testing::Test {
 protected:
  absl::StatusOr<int64_t> Check(const v1::Content& content) {
    return CheckContent(content, "items[7]", limits_, served_, cost_);
  }

  void ExpectFault(const v1::Content& content, const std::string& reason,
                   const std::string& field) {
    const absl::Status status = Check(content).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(base::Reason(status), reason);
    EXPECT_EQ(base::Field(status), field);
  }

  static v1::Content Text(const std::string& text) {
    v1::Content content;
    content.set_text(text);
    return content;
  }
  static v1::Content Image(const std::string& image) {
    v1::Content content;
    content.set_image(image);
    return content;
  }

  // All that a header needs: signature, length, IHDR, sides, depth, colour, three methods, CRC.
  static std::string PngHeader(uint32_t width, uint32_t height) {
    std::string png("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16);
    for (uint32_t side : {width, height}) {
      for (int shift : {24, 16, 8, 0}) png.push_back(static_cast<char>(side >> shift));
    }
    return png + std::string("\x08\x02\0\0\0\0\0\0\0", 9);
  }

  config::Limits limits_{.max_items = 4,
                         .max_text_bytes = 100,
                         .max_image_bytes = 1000,
                         .max_image_pixels = 1'000'000,
                         .max_video_bytes = 1000,
                         .max_video_frames = 16};
  dispatch::ServedModel served_{.name = "served",
                                .space_id = "s",
                                .dimension = 3,
                                .max_tokens = 16,
                                .default_frames = 5,
                                .prompts = {"query"}};
  batching::TextCost cost_;
};

TEST_F(ValidateTest, Texts) {
  EXPECT_GT(*Check(Text("fine")), 0);
  EXPECT_EQ(*Check(Text(std::string(100, 'x'))), 16);
  // The text service says whether it has tokens.
  EXPECT_GT(*Check(Text("")), 0);
  ExpectFault(Text(std::string(101, 'x')), base::kReasonTextTooLong, "items[7].text");
  ExpectFault(Text("a\xff"), base::kReasonInvalidUtf8, "items[7].text");
}

TEST_F(ValidateTest, Images) {
  EXPECT_EQ(*Check(Image(PngHeader(320, 64))), 20);
  ExpectFault(Image(""), base::kReasonEmptyItem, "items[7].image");
  ExpectFault(Image("GIF89a and so on"), base::kReasonUnsupportedFormat, "items[7].image");
  ExpectFault(Image(PngHeader(320, 64).substr(0, 20)), base::kReasonImageUndecodable,
              "items[7].image");
  ExpectFault(Image(PngHeader(320, 64) + std::string(1000, 'x')), base::kReasonImageTooLarge,
              "items[7].image");
  ExpectFault(Image(PngHeader(1001, 1000)), base::kReasonImageTooLarge, "items[7].image");
}

TEST_F(ValidateTest, HugeHeaderNamesSizeAndLimit) {
  limits_.max_image_pixels = 50'000'000;
  const absl::Status status = Check(Image(PngHeader(60000, 60000))).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("60000x60000"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("50000000"));
}

TEST_F(ValidateTest, Videos) {
  v1::Content content;
  v1::Video& video = *content.mutable_video();
  ExpectFault(content, base::kReasonEmptyItem, "items[7].video");
  video.set_data("neither MP4 nor WebM nor GIF");
  ExpectFault(content, base::kReasonUnsupportedFormat, "items[7].video");
  video.set_data("GIF89a" + std::string(2000, 'x'));
  ExpectFault(content, base::kReasonVideoTooLarge, "items[7].video");
  video.set_data("GIF89a");
  // Frames are what it costs: the model's own number, or as many as are asked for.
  EXPECT_EQ(*Check(content), 5);
  video.set_frames(16);
  EXPECT_EQ(*Check(content), 16);
  for (const int frames : {-1, 17}) {
    video.set_frames(frames);
    ExpectFault(content, base::kReasonVideoTooManyFrames, "items[7].video.frames");
  }
  video.clear_frames();
  video.set_end_us(0);
  ExpectFault(content, base::kReasonVideoRange, "items[7].video.end_us");
  video.set_end_us(10);
  video.set_start_us(10);
  ExpectFault(content, base::kReasonVideoRange, "items[7].video.end_us");
  video.set_start_us(-1);
  ExpectFault(content, base::kReasonVideoRange, "items[7].video.start_us");
  video.set_start_us(9);
  EXPECT_EQ(*Check(content), 5);
}

TEST_F(ValidateTest, OtherKinds) {
  ExpectFault(v1::Content(), base::kReasonEmptyItem, "items[7]");
  v1::Content vector;
  *vector.mutable_embedding() = tensor::FromFloats({1, 2, 3});
  EXPECT_EQ(*Check(vector), 0);
  *vector.mutable_embedding() = tensor::FromFloats({1, 2});
  ExpectFault(vector, base::kReasonInvalidRequest, "items[7].embedding");
}

TEST_F(ValidateTest, ModelNames) {
  EXPECT_TRUE(CheckModelName("", served_).ok());
  EXPECT_TRUE(CheckModelName("served", served_).ok());
  const absl::Status unknown = CheckModelName("other", served_);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::Reason(unknown), base::kReasonUnknownModel);
}

TEST_F(ValidateTest, ALanguageModelAloneMakesNoVectors) {
  EXPECT_TRUE(CheckMakesVectors(served_).ok());
  const absl::Status none = CheckMakesVectors({.name = "smol", .generates = true});
  EXPECT_EQ(none.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(none), base::kReasonNoEncoder);
  EXPECT_THAT(std::string(none.message()), ::testing::HasSubstr("'smol' makes no vectors"));
}

TEST_F(ValidateTest, Options) {
  v1::EmbedOptions options;
  EXPECT_TRUE(CheckOptions(options, served_).ok());
  options.set_dimension(3);
  options.set_prompt_name("query");
  options.set_dtype(v1::DATA_TYPE_INT8);
  EXPECT_TRUE(CheckOptions(options, served_).ok());
  options.set_dimension(4);
  EXPECT_EQ(base::Field(CheckOptions(options, served_)), "options.dimension");
  options.set_dimension(0);
  options.set_prompt_name("passage");
  EXPECT_EQ(base::Reason(CheckOptions(options, served_)), base::kReasonUnknownPrompt);
  options.clear_prompt_name();
  options.set_dtype(v1::DATA_TYPE_INT64);
  EXPECT_EQ(base::Field(CheckOptions(options, served_)), "options.dtype");
}

TEST_F(ValidateTest, ItemCount) {
  EXPECT_EQ(base::Field(CheckItemCount(0, limits_)), "items");
  EXPECT_TRUE(CheckItemCount(4, limits_).ok());
  EXPECT_EQ(base::Field(CheckItemCount(5, limits_)), "items");
}

TEST(InClientTermsTest, FieldIsRenamed) {
  const absl::Status renamed = InClientTerms(
      base::FieldError(base::kReasonTextTooLong, "items[2].content.text", "300 tokens"),
      "items[9]");
  EXPECT_EQ(base::Field(renamed), "items[9].text");
  EXPECT_EQ(base::Reason(renamed), base::kReasonTextTooLong);
  EXPECT_EQ(renamed.message(), "items[9].text: 300 tokens");
  const absl::Status video = InClientTerms(
      base::FieldError(base::kReasonVideoRange, "video.end_us", "too late"), "items[9]");
  EXPECT_EQ(base::Field(video), "items[9].video.end_us");
  EXPECT_EQ(video.message(), "items[9].video.end_us: too late");
  const absl::Status other = absl::InternalError("x");
  EXPECT_EQ(InClientTerms(other, "items[9]"), other);
}

}  // namespace
}  // namespace terminus::services::router::edge
