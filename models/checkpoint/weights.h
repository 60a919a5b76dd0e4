#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/weights/tensor_map.h"
#include "common/weights/weight_loader.h"

namespace terminus::models::checkpoint {

// A checkpoint's tensors as LibTorch sees them, float32, on the device to compute on. Tensors on
// the CPU are views of the mapped file where its dtype is float32 already, and keep it mapped:
// clone what is small, repack what is hot. Not thread-safe.
class Weights {
 public:
  // `path` as weights::TensorMap::Open takes it.
  static absl::StatusOr<Weights> Open(const std::string& path, at::Device device);

  bool Has(const std::string& name) const { return map_->Find(name) != nullptr; }
  // Nothing when there is no such tensor.
  std::optional<std::vector<int64_t>> ShapeOf(const std::string& name) const;

  // The tensor, converted from float32, float16 or bfloat16. What is missing or has another shape
  // is noted, and zeros are returned in its place.
  at::Tensor Get(const std::string& name, at::IntArrayRef shape);

  // The same in the dtype that it is stored in: float32, float16 or bfloat16.
  at::Tensor GetAsStored(const std::string& name, at::IntArrayRef shape);

  // OK, or INVALID_ARGUMENT that lists every tensor that was missing or had another dtype or shape.
  absl::Status Finish() const;

 private:
  Weights(std::shared_ptr<const weights::TensorMap> map, at::Device device)
      : map_(std::move(map)), loader_(*map_), device_(device) {}

  std::shared_ptr<const weights::TensorMap> map_;
  weights::WeightLoader loader_;
  at::Device device_;
};

}  // namespace terminus::models::checkpoint
