#include "services/router/admission/admission.h"

#include <gtest/gtest.h>

#include "common/base/errors.h"

namespace terminus::services::router::admission {
namespace {

class AdmissionTest : public ::testing::Test {
 protected:
  Admission admission_{{.max_items = 10, .max_bytes = 100, .retry_delay = absl::Milliseconds(250)}};
};

TEST_F(AdmissionTest, PermitsComeBack) {
  {
    const auto permit = admission_.TryAdmit(10, 20);
    ASSERT_TRUE(permit.ok()) << permit.status();
    EXPECT_EQ(admission_.usage().items, 10);
    EXPECT_EQ(admission_.usage().bytes, 20);
    EXPECT_FALSE(admission_.TryAdmit(1, 1).ok());
  }
  EXPECT_EQ(admission_.usage().items, 0);
  EXPECT_EQ(admission_.usage().bytes, 0);
  EXPECT_TRUE(admission_.TryAdmit(1, 1).ok());
}

TEST_F(AdmissionTest, RefusalSaysWhenToComeBack) {
  const auto permit = admission_.TryAdmit(1, 100);
  const absl::Status refused = admission_.TryAdmit(1, 1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::Reason(refused), base::kReasonOverloaded);
  EXPECT_EQ(base::RetryDelay(refused), absl::Milliseconds(250));
  EXPECT_EQ(admission_.usage().items, 1);
}

TEST_F(AdmissionTest, WhatCanNeverFitIsNotToldToComeBack) {
  for (const absl::Status& refused :
       {admission_.TryAdmit(11, 1).status(), admission_.TryAdmit(1, 101).status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(base::RetryDelay(refused), absl::nullopt);
  }
}

TEST_F(AdmissionTest, MovedPermitIsReleasedOnce) {
  Permit outer;
  {
    auto permit = admission_.TryAdmit(4, 4);
    ASSERT_TRUE(permit.ok());
    outer = *std::move(permit);
  }
  EXPECT_EQ(admission_.usage().items, 4);
  outer = Permit();
  EXPECT_EQ(admission_.usage().items, 0);
}

}  // namespace
}  // namespace terminus::services::router::admission
