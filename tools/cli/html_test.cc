#include "tools/cli/html.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlTest, EscapesEverythingThatCameFromOutside) {
  const std::string evil = "<script>alert(\"1\" & '2')</script>";
  const SearchPage page{.query = evil,
                        .query_thumbnail = "x",
                        .summary = evil,
                        .cards = {{.thumbnail = "x", .title = evil, .caption = evil}},
                        .failed = {evil}};
  const std::string html = RenderSearchPage(page);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("\"1\"")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)"));
}

TEST(HtmlTest, ShowsScoresAsBars) {
  const SearchPage page{.query = "a cat",
                        .summary = "2 best of 9 images",
                        .cards = {{.title = "a.png", .caption = "A cat.", .score = 0.4567f},
                                  {.title = "b.png", .score = -0.2f}}};
  const std::string html = RenderSearchPage(page);
  EXPECT_THAT(html, AllOf(HasSubstr("<h1>a cat</h1>"), HasSubstr("2 best of 9 images"),
                          HasSubstr("width:45.7%"), HasSubstr("0.457"), HasSubstr("width:0.0%"),
                          HasSubstr("-0.200"), HasSubstr("A cat.")));
  EXPECT_THAT(html, Not(HasSubstr("could not be searched")));
}

TEST(HtmlTest, NeedsNothingBesideItself) {
  const SearchPage page{.query = "q", .cards = {{.thumbnail = "JPEG", .title = "a.png"}}};
  const std::string html = RenderSearchPage(page);
  EXPECT_THAT(html, HasSubstr("src=\"data:image/jpeg;base64,SlBFRw==\""));
  EXPECT_THAT(html,
              AllOf(Not(HasSubstr("http:")), Not(HasSubstr("https:")), Not(HasSubstr("url("))));
}

}  // namespace
}  // namespace terminus::tools::cli
