#include "models/cuda/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::models::cuda {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

TEST(Library, LoadsWhereItWasBuiltAndSaysWhyElsewhere) {
  const auto api = LoadLibrary();
  if (TERMINUS_CUDA_BUILT) {
    // Also on a machine without a GPU or a driver: every symbol must be found.
    ASSERT_TRUE(api.ok()) << api.status();
    EXPECT_EQ((*api)->version, TERMINUS_CUDA_API_VERSION);
  } else {
    EXPECT_EQ(api.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(api.status().message()), HasSubstr("libterminus_cuda.so"));
  }
}

TEST(Library, AGpuThatIsNotThereIsAClearError) {
  const auto device = FindDevice(4711);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(device.status().message()),
              AnyOf(HasSubstr("no GPU"), HasSubstr("no CUDA library")));
}

}  // namespace
}  // namespace terminus::models::cuda
