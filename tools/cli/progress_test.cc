#include "tools/cli/progress.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgressTest : public testing::Test {
 protected:
  ProgressTest() : out_(std::tmpfile()) {}
  ~ProgressTest() override { std::fclose(out_); }

  std::string Written() {
    std::rewind(out_);
    std::string text(10'000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), out_));
    return text;
  }

  base::FakeClock clock_;
  std::FILE* out_;
};

TEST_F(ProgressTest, PlainLinesNowAndThen) {
  {
    Progress progress({.what = "images", .total = 100, .line_interval = absl::Seconds(5)}, out_,
                      clock_);
    for (int i = 1; i <= 100; ++i) {
      clock_.Advance(absl::Milliseconds(100));
      progress.Update(i);
    }
  }
  EXPECT_EQ(
      Written(),
      "images: 50 of 100, 10.0/s\nimages: 100 of 100, 10.0/s\nimages: 100 of 100 in 10.0 s\n");
}

TEST_F(ProgressTest, BarIsRedrawnInPlace) {
  {
    Progress progress({.what = "images", .total = 4, .terminal = true}, out_, clock_);
    progress.Update(1);
    clock_.Advance(absl::Milliseconds(50));
    progress.Update(2);  // Too soon after the last.
    clock_.Advance(absl::Milliseconds(50));
    progress.Update(4);
  }
  const std::string written = Written();
  EXPECT_THAT(written, HasSubstr("\rimages ████████░"));
  EXPECT_THAT(written, Not(HasSubstr("2/4")));
  EXPECT_THAT(written, HasSubstr("█ 4/4"));
  EXPECT_THAT(written, EndsWith("\n"));
}

TEST_F(ProgressTest, NothingToDoIsDone) {
  { Progress progress({.what = "images", .total = 0, .terminal = true}, out_, clock_); }
  EXPECT_THAT(Written(), HasSubstr("████ 0/0"));
}

}  // namespace
}  // namespace terminus::tools::cli
