#include "models/bundle/preprocessor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/temp_folder.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::bundle {
namespace {

using ::testing::HasSubstr;

class PreprocessorFileTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& content) {
    checkpoint::WriteTestFile(folder_.Path(name), content);
  }

  absl::StatusOr<media::ImagePreprocessor> Read() {
    return ReadPreprocessorFile(folder_.path(), media::Conversion::kLikeTransformers);
  }

  base::TempFolder folder_;
};

TEST_F(PreprocessorFileTest, ReadsPreprocessorConfig) {
  Write("preprocessor_config.json", R"({"image_processor_type": "ViTImageProcessor", "size": 64})");
  const auto preprocessor = Read();
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
  EXPECT_EQ(preprocessor->width(), 64);
  EXPECT_EQ(preprocessor->conversion(), media::Conversion::kLikeTransformers);
}

TEST_F(PreprocessorFileTest, TheNestedOneComesFirst) {
  Write("preprocessor_config.json", R"({"image_processor_type": "ViTImageProcessor", "size": 64})");
  Write("processor_config.json",
        R"({"image_processor": {"image_processor_type": "ViTImageProcessor", "size": 96},
            "processor_class": "CLIPProcessor"})");
  const auto preprocessor = Read();
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
  EXPECT_EQ(preprocessor->width(), 96);
  Write("processor_config.json", R"({"processor_class": "CLIPProcessor"})");
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Read()->width(), 64);
}

TEST_F(PreprocessorFileTest, WithoutAFileWhatTheModelSaysHolds) {
  const media::PreprocessorConfig otherwise{.resize_width = 48, .width = 48, .height = 48};
  const auto width = [&] {
    return ReadPreprocessorFile(folder_.path(), media::Conversion::kOverWhite, otherwise)->width();
  };
  EXPECT_EQ(width(), 48);
  Write("preprocessor_config.json", R"({"image_processor_type": "ViTImageProcessor", "size": 64})");
  EXPECT_EQ(width(), 64);
}

TEST_F(PreprocessorFileTest, AFileThatNamesNoClassGetsTheModels) {
  Write("config.json", R"({"model_type": "dinov2"})");
  Write("preprocessor_config.json", R"({"size": 64})");
  EXPECT_EQ(Read()->width(), 224);  // Of the crop, which DINOv2's class does.
  Write("config.json", R"({"model_type": "clip_vision_model"})");
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("/preprocessor_config.json: image_processor_type: missing"));
}

TEST_F(PreprocessorFileTest, ErrorsNameFileAndKey) {
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Read().status().message()), HasSubstr("/preprocessor_config.json"));
  Write("preprocessor_config.json", R"({"size": 0})");
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("/preprocessor_config.json: size: expected 1"));
  Write("processor_config.json", R"({"image_processor": {"size": 0}})");
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("/processor_config.json: image_processor: size: expected 1"));
}

}  // namespace
}  // namespace terminus::models::bundle
