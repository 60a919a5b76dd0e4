#include "common/gpu/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace terminus::gpu {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Library, LoadsWhereItWasBuiltAndSaysWhyElsewhere) {
  const auto api = LoadLibrary();
  if (TERMINUS_CUDA_BUILT) {
    // Also on a machine without a GPU or a driver: every symbol must be found.
    ASSERT_TRUE(api.ok()) << api.status();
    EXPECT_EQ((*api)->version, TERMINUS_GPU_API_VERSION);
  } else {
    EXPECT_EQ(api.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(Message(api.status()), HasSubstr("libterminus_cuda.so"));
  }
}

TEST(Library, AnotherVersionAndAnUnknownTableAreRefused) {
  if (!TERMINUS_CUDA_BUILT) {
    GTEST_SKIP() << "built without CUDA";
  }
  const auto newer = FindTable("terminus_gpu_api", TERMINUS_GPU_API_VERSION + 1);
  EXPECT_EQ(newer.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(newer.status()),
              HasSubstr(absl::StrCat("expected ", TERMINUS_GPU_API_VERSION + 1)));
  const auto unknown = FindTable("terminus_unknown_api", 1);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(unknown.status()), HasSubstr("terminus_unknown_api"));
}

TEST(Library, AGpuThatIsNotThereIsAClearError) {
  const auto device = FindDevice(4711);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(device.status()), AnyOf(HasSubstr("no GPU"), HasSubstr("no CUDA library")));
}

}  // namespace
}  // namespace terminus::gpu
