#include "common/rpc/context.h"

#include <gtest/gtest.h>

#include <string>

namespace terminus::rpc {
namespace {

TEST(Context, TraceparentIsCheckedAsTheSpecificationSays) {
  EXPECT_TRUE(IsTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  EXPECT_FALSE(IsTraceparent(""));
  EXPECT_FALSE(IsTraceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  EXPECT_FALSE(IsTraceparent("00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  EXPECT_FALSE(IsTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"));
}

TEST(Context, RequestIdIsBoundedAndPrintable) {
  EXPECT_TRUE(IsRequestId("abc-123"));
  EXPECT_FALSE(IsRequestId(""));
  EXPECT_FALSE(IsRequestId("a b"));
  EXPECT_FALSE(IsRequestId("line\nbreak"));
  EXPECT_FALSE(IsRequestId(std::string(129, 'a')));
}

TEST(Context, NewRequestIdsDiffer) {
  EXPECT_EQ(NewRequestId().size(), 32u);
  EXPECT_NE(NewRequestId(), NewRequestId());
}

}  // namespace
}  // namespace terminus::rpc
