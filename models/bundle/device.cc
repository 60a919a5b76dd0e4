#include "models/bundle/device.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "models/cuda/library.h"

namespace terminus::models::bundle {

absl::StatusOr<at::Device> ResolveDevice(const std::string& name) {
  if (name == "cpu" || name == "auto") {
    return at::Device(at::kCPU);
  }
  absl::string_view number = name;
  int index = 0;
  if (!absl::ConsumePrefix(&number, "cuda:") || !absl::SimpleAtoi(number, &index) || index < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", name, "\", expected \"cpu\", \"cuda:N\" or \"auto\""));
  }
  const auto device = cuda::FindDevice(index);
  if (!device.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("device \"", name, "\": ", device.status().message()));
  }
  return absl::UnimplementedError(
      absl::StrCat("device \"", name, "\" (", device->name,
                   "): the encoders compute on the CPU only; use \"cpu\" or \"auto\""));
}

}  // namespace terminus::models::bundle
