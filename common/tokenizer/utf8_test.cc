#include "common/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include "common/base/errors.h"

namespace terminus::tokenizer {
namespace {

TEST(Utf8Test, EveryCodePointThereAndBack) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (0xd800 <= c && c < 0xe000) continue;
    std::string text;
    AppendUtf8(c, text);
    ASSERT_TRUE(IsValidUtf8(text)) << static_cast<uint32_t>(c);
    size_t at = 0;
    ASSERT_EQ(NextCodePoint(text, at), c);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(PreviousCodePoint("a" + text, 1 + text.size()), c);
  }
}

TEST(Utf8Test, BadSequencesAreFoundWhereTheyBegin) {
  const std::string bad[] = {
      "\x80",              // continues nothing
      "\xc3",              // cut off
      "\xc3(",             // not continued
      "\xc0\xaf",          // overlong
      "\xc1\xbf",          // overlong
      "\xe0\x9f\xbf",      // overlong
      "\xe4\xb8",          // cut off
      "\xed\xa0\x80",      // surrogate
      "\xf0\x8f\xbf\xbf",  // overlong
      "\xf0\x9f\x98",      // cut off
      "\xf4\x90\x80\x80",  // beyond U+10FFFF
      "\xf5\x80\x80\x80",
      "\xff",
  };
  for (const std::string& sequence : bad) {
    // At every distance from the steps of eight bytes.
    for (size_t before = 0; before < 20; ++before) {
      const std::string text = std::string(before, 'x') + sequence + std::string(12, 'y');
      EXPECT_EQ(ValidUtf8Prefix(text), before) << testing::PrintToString(sequence);
      EXPECT_EQ(ValidUtf8Prefix(std::string(before, 'x') + sequence), before);
    }
  }
}

TEST(Utf8Test, ErrorSaysReasonAndPlace) {
  EXPECT_TRUE(CheckUtf8("").ok());
  EXPECT_TRUE(CheckUtf8("日本 😀").ok());
  const absl::Status status = CheckUtf8("日本\xff");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Reason(status), base::kReasonInvalidUtf8);
  EXPECT_EQ(status.message(), "text is not valid UTF-8: byte 0xff at offset 6");
}

}  // namespace
}  // namespace terminus::tokenizer
