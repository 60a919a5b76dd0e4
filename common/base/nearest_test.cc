#include "common/base/nearest.h"

#include <gtest/gtest.h>

namespace terminus::base {
namespace {

TEST(NearestTest, FewestEditsWin) {
  EXPECT_EQ(Nearest("do_centre_crop", {"do_resize", "do_center_crop", "crop_size"}),
            "do_center_crop");
  EXPECT_EQ(Nearest("size", {"sizes", "size"}), "size");
}

TEST(NearestTest, TheFirstOfEquals) { EXPECT_EQ(Nearest("ab", {"ax", "xb"}), "ax"); }

TEST(NearestTest, NoneIsKnown) { EXPECT_EQ(Nearest("a", {}), ""); }

}  // namespace
}  // namespace terminus::base
