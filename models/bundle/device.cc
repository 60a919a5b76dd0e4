#include "models/bundle/device.h"

#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "models/cuda/library.h"

namespace terminus::models::bundle {

namespace {

// "cuda:N", if there is such a GPU.
absl::StatusOr<at::Device> FindGpu(const std::string& name) {
  absl::string_view number = name;
  int index = 0;
  if (!absl::ConsumePrefix(&number, "cuda:") || !absl::SimpleAtoi(number, &index) || index < 0 ||
      index > std::numeric_limits<at::DeviceIndex>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", name, "\", expected \"cpu\", \"cuda:N\" or \"auto\""));
  }
  const auto device = cuda::FindDevice(index);
  if (!device.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("device \"", name, "\": ", device.status().message()));
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

}  // namespace

absl::StatusOr<at::Device> ResolveDevice(const std::string& name) {
  if (name == "cpu" || (name == "auto" && !cuda::FindDevice(0).ok())) {
    return at::Device(at::kCPU);
  }
  return FindGpu(name == "auto" ? "cuda:0" : name);
}

absl::StatusOr<nn::Placement> ResolvePlacement(const std::string& device,
                                               const std::string& precision) {
  nn::Placement placement;
  TERMINUS_ASSIGN_OR_RETURN(placement.device, ResolveDevice(device));
  const bool gpu = placement.device.is_cuda();
  if (precision == "float32" || (precision == "auto" && !gpu)) {
    return placement;
  }
  placement.fp8 = precision == "fp8";
  if (!placement.fp8 && precision != "bfloat16" && precision != "auto") {
    return absl::InvalidArgumentError(absl::StrCat(
        "precision \"", precision, "\", expected \"float32\", \"bfloat16\", \"fp8\" or \"auto\""));
  }
  if (!gpu) {
    return absl::InvalidArgumentError(
        absl::StrCat("precision \"", precision, "\": on the CPU encoders compute in float32"));
  }
  placement.dtype = at::kBFloat16;
  return placement;
}

}  // namespace terminus::models::bundle
