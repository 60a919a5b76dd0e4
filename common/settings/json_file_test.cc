#include "common/settings/json_file.h"

#include <fstream>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::settings {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class JsonFileTest : public testing::Test {
 protected:
  std::string Write(const std::string& content) const {
    const std::string path = folder_.Path("json_file_test.json");
    std::ofstream(path) << content;
    return path;
  }

  const base::TempFolder folder_;
};

TEST_F(JsonFileTest, ReadsFields) {
  auto file = JsonFile::Read(
      Write(R"({"size": 3, "eps": 1e-3, "on": true, "name": "x", "null": null, "rgb": [1, 2.5]})"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Int("size", 1, 3), 3);
  EXPECT_EQ(file->IntOr("null", 0, 9, 7), 7);
  EXPECT_EQ(file->NumberOr("eps", 0), 1e-3);
  EXPECT_TRUE(file->BoolOr("on", false));
  EXPECT_EQ(file->String("name"), "x");
  EXPECT_EQ(file->StringOr("other", "y"), "y");
  EXPECT_THAT(file->NumbersOr("rgb", {0, 0}), testing::ElementsAre(1, 2.5));
  EXPECT_TRUE(file->status().ok()) << file->status();
}

TEST_F(JsonFileTest, ListsAllFaultsWithFileAndKey) {
  auto file = JsonFile::Read(Write(R"({"size": 4, "eps": "small", "rgb": [1]})"));
  ASSERT_TRUE(file.ok());
  file->Int("size", 1, 3);
  file->Int("heads", 1, 3);
  file->NumberOr("eps", 0);
  file->NumbersOr("rgb", {0, 0});
  EXPECT_EQ(file->status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file->status().message()),
              AllOf(HasSubstr("json_file_test.json"), HasSubstr("size: 4, expected"),
                    HasSubstr("heads: missing"), HasSubstr("eps: \"small\""),
                    HasSubstr("rgb: expected 2 numbers")));
}

TEST_F(JsonFileTest, RefusesWhatIsNoJsonObject) {
  EXPECT_EQ(JsonFile::Read(Write("{\"a\": ")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(JsonFile::Read(Write("3")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(JsonFile::Read(Write("[]")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(JsonFile::Read("/nonexistent.json").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(JsonFileTest, ReadsAnArrayOnRequest) {
  const auto file = JsonFile::ReadArray(Write("[{}, 3]"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->json().size(), 2);
  EXPECT_EQ(JsonFile::ReadArray(Write("{}")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(JsonFile::ReadArray(Write("[")).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace terminus::settings
