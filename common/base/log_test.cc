#include "common/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::base {
namespace {

using testing::HasSubstr;

// Returns the text that `log` writes to stderr. Fails if `log` writes anything to stdout.
template <typename Function>
std::string Logged(const Function& log) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  log();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  return testing::internal::GetCapturedStderr();
}

TEST(LogTest, LeavesStdoutToTheProgram) {
  EXPECT_THAT(Logged([] { LogWarning("an unknown key"); }), HasSubstr("an unknown key"));
  EXPECT_THAT(Logged([] {
                InitLog("a tool", "warn");
                LogInfo("not worth a line");
                LogError("a broken file");
              }),
              testing::AllOf(HasSubstr("E a tool a broken file"),
                             testing::Not(HasSubstr("not worth a line"))));
}

}  // namespace
}  // namespace terminus::base
