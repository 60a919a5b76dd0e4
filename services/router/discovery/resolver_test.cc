#include "services/router/discovery/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::services::router::discovery {
namespace {

using ::testing::ElementsAre;

TEST(ResolverTest, TellsTargetsFromAddresses) {
  EXPECT_TRUE(IsDnsTarget("dns:///text:8501"));
  EXPECT_FALSE(IsDnsTarget("unix:/run/text-0.sock"));
  EXPECT_FALSE(IsDnsTarget("10.0.0.7:8501"));
}

TEST(ResolverTest, NumericNamesNeedNoServer) {
  EXPECT_THAT(*ResolveDnsTarget("dns:///127.0.0.2:8501"), ElementsAre("ipv4:127.0.0.2:8501"));
  EXPECT_THAT(*ResolveDnsTarget("dns:///::1:8501"), ElementsAre("ipv6:[::1]:8501"));
}

TEST(ResolverTest, NotATarget) {
  for (const char* bad : {"dns:///text", "dns:///:8501", "dns:///text:"}) {
    EXPECT_EQ(ResolveDnsTarget(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace terminus::services::router::discovery
