#include "models/bundle/device.h"

#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "models/cuda/library.h"

namespace terminus::models::bundle {

namespace {

struct Gpu {
  at::Device device;
  std::string name;
};

// "cuda:N", if there is such a GPU.
absl::StatusOr<Gpu> FindGpu(const std::string& name) {
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
  return Gpu{at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index)), device->name};
}

}  // namespace

absl::StatusOr<at::Device> ResolveDevice(const std::string& name) {
  if (name == "cpu" || name == "auto") {
    return at::Device(at::kCPU);
  }
  TERMINUS_ASSIGN_OR_RETURN(const Gpu gpu, FindGpu(name));
  return absl::UnimplementedError(
      absl::StrCat("device \"", name, "\" (", gpu.name,
                   "): the encoders compute on the CPU only; use \"cpu\" or \"auto\""));
}

absl::StatusOr<at::Device> ResolveDecoderDevice(const std::string& name) {
  if (name == "cpu" || (name == "auto" && !cuda::FindDevice(0).ok())) {
    return at::Device(at::kCPU);
  }
  TERMINUS_ASSIGN_OR_RETURN(const Gpu gpu, FindGpu(name == "auto" ? "cuda:0" : name));
  return gpu.device;
}

}  // namespace terminus::models::bundle
