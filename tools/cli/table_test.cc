#include "tools/cli/table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

TEST(TableTest, AlignsColumnsByCharacters) {
  EXPECT_EQ(FormatTable({{"NAME", "X"}, {"grün", "1"}, {"—", "2"}, {"longer", "3"}}),
            "NAME    X\n"
            "grün    1\n"
            "—       2\n"
            "longer  3\n");
}

TEST(TableTest, RowsMayBeShort) { EXPECT_EQ(FormatTable({{"a"}, {"b", "c"}}), "a\nb  c\n"); }

}  // namespace
}  // namespace terminus::tools::cli
