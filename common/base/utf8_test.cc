#include "common/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace terminus::base {
namespace {

TEST(Utf8Test, WellFormed) {
  for (const std::string text :
       {"", "a", "exactly8", "Grüße, 世界", "\xf0\x9f\x90\x88 after eight bytes \xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf\xee\x80\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
}

TEST(Utf8Test, IllFormed) {
  for (const std::string bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe4\xb8", "\xf0\x9f\x90",
        "\xc3\x28", "\xe4\xb8\x28", "\xf0\x9f\x90\x28"}) {
    for (const std::string& before : {std::string(), std::string("12345678"), std::string("123")}) {
      EXPECT_FALSE(IsValidUtf8(before + bad));
      EXPECT_FALSE(IsValidUtf8(before + bad + "12345678"));
    }
  }
}

TEST(Utf8Test, PrintableKeepsWhatIsWellFormed) {
  const std::string good = "Grüße,\n世界 \xf0\x9f\x90\x88 \xc2\xa0";
  EXPECT_EQ(PrintableUtf8(good), good);
  EXPECT_EQ(PrintableUtf8("bad \xff\xfe byte, cut \xe4\xb8"), "bad ?? byte, cut ??");
  EXPECT_EQ(PrintableUtf8(std::string("\x1b[2J\x7f\0\t", 7)), "?[2J???");
  EXPECT_EQ(PrintableUtf8("\xc2\x9b"), "?");
  EXPECT_EQ(PrintableUtf8(""), "");
}

}  // namespace
}  // namespace terminus::base
