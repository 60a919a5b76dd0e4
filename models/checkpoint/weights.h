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
#include "models/checkpoint/gpu_reader.h"

namespace terminus::models::checkpoint {

// A checkpoint's tensors as LibTorch sees them, on the device to compute on. Not thread-safe.
//
// On the CPU a tensor in the dtype that it is stored in is a view of the mapped file, and keeps it
// mapped: clone what is small, repack what is hot. When the last such view of a tensor goes, so do
// its pages, so that what is repacked does not count twice; they stay in the page cache.
//
// To a GPU the bytes go by pinned memory, in the order of LibTorch's current stream, and may still
// be on their way when a tensor is returned: use it in that stream. Of the file nothing becomes
// memory of this process.
class Weights {
 public:
  // `path` as weights::TensorMap::Open takes it.
  static absl::StatusOr<Weights> Open(const std::string& path, at::Device device);

  bool Has(const std::string& name) const { return map_->Find(name) != nullptr; }
  // Nothing when there is no such tensor.
  std::optional<std::vector<int64_t>> ShapeOf(const std::string& name) const;

  // As which it is stored: float32, float16 or bfloat16. Nothing when there is no such tensor, or
  // of another dtype.
  std::optional<at::ScalarType> TypeOf(const std::string& name) const;

  // The tensor, converted to float32 from float32, float16 or bfloat16. What is missing or has
  // another shape is noted, and zeros are returned in its place.
  at::Tensor Get(const std::string& name, at::IntArrayRef shape);

  // The same in the dtype that it is stored in: float32, float16 or bfloat16.
  at::Tensor GetAsStored(const std::string& name, at::IntArrayRef shape);

  // OK, or INVALID_ARGUMENT that lists every tensor that was missing or had another dtype or shape,
  // or why a tensor, which is named, could not be brought to the GPU.
  absl::Status Finish() const;

 private:
  Weights(std::shared_ptr<const weights::TensorMap> map, at::Device device,
          std::unique_ptr<GpuReader> gpu_reader)
      : map_(std::move(map)), loader_(*map_), device_(device), gpu_reader_(std::move(gpu_reader)) {}

  // Of a tensor that is there.
  at::Tensor ViewOf(const weights::TensorView& view, at::ScalarType type);
  at::Tensor ReadToGpu(const std::string& name, const weights::TensorView& view,
                       at::ScalarType type);

  std::shared_ptr<const weights::TensorMap> map_;
  weights::WeightLoader loader_;
  at::Device device_;
  std::unique_ptr<GpuReader> gpu_reader_;  // Null on the CPU.
  int64_t untrimmed_bytes_ = 0;            // On the CPU.
  absl::Status gpu_status_;                // The first error of it.
};

}  // namespace terminus::models::checkpoint
