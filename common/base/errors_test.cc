#include "common/base/errors.h"

#include <gtest/gtest.h>

namespace terminus::base {
namespace {

TEST(Errors, CarryReasonFieldAndRetryDelay) {
  const absl::Status status =
      WithRetryDelay(FieldError(kReasonTextTooLong, "items[2].text", "600 tokens, limit 512"),
                     absl::Milliseconds(40));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "items[2].text: 600 tokens, limit 512");
  EXPECT_EQ(Reason(status), "TEXT_TOO_LONG");
  EXPECT_EQ(Field(status), "items[2].text");
  EXPECT_EQ(RetryDelay(status), absl::Milliseconds(40));
}

TEST(Errors, AbsentPayloadsAreEmpty) {
  const absl::Status status = absl::InternalError("x");
  EXPECT_EQ(Reason(status), "");
  EXPECT_EQ(Field(status), "");
  EXPECT_FALSE(RetryDelay(status).has_value());
}

TEST(Errors, AnnotateKeepsPayloads) {
  const absl::Status status = Annotate(
      MakeError(absl::StatusCode::kNotFound, kReasonUnknownModel, "no model 'm'"), "Embed");
  EXPECT_EQ(status.message(), "Embed: no model 'm'");
  EXPECT_EQ(Reason(status), kReasonUnknownModel);
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

}  // namespace
}  // namespace terminus::base
