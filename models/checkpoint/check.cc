#include "models/checkpoint/check.h"

#include "common/settings/collector.h"

namespace terminus::models::checkpoint {

absl::Status CheckOnMeta(at::Device device, absl::FunctionRef<absl::Status(at::Device)> load) {
  if (device.is_meta()) {
    return absl::OkStatus();
  }
  const settings::Collector dropped;
  return load(at::kMeta);
}

}  // namespace terminus::models::checkpoint
