#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

// For tests only: how much memory loading a model takes at most.
namespace terminus::models::checkpoint {

// The golden's folder in the sizes of a real model: each size of a tensor that is a key of `sizes`
// is replaced by its value, the tensors of layer 0 (their names have `layer` + "0.") stand for
// those of all `layers` layers, and `config` is merged into its configuration.
nlohmann::json Enlarge(nlohmann::json golden, const std::map<int64_t, int64_t>& sizes,
                       const std::string& layer, int layers, const nlohmann::json& config);

// Bytes of a golden's tensors.
int64_t WeightBytes(const nlohmann::json& golden);

// The most resident memory of this process from Start() to Above(), in bytes above that at the
// start: anonymous, shared and file pages alike, as the kernel counts them.
class PeakMemory {
 public:
  // FAILED_PRECONDITION where the kernel does not let the mark be reset, and in programs built with
  // a sanitizer, whose own memory would be counted.
  static absl::StatusOr<PeakMemory> Start();

  int64_t Above() const;

 private:
  explicit PeakMemory(int64_t base) : base_(base) {}

  int64_t base_;
};

}  // namespace terminus::models::checkpoint
