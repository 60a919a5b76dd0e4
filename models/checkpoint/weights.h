#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/weights/tensor_map.h"
#include "common/weights/tensor_names.h"
#include "common/weights/weight_loader.h"
#include "models/checkpoint/gpu_reader.h"

namespace terminus::models::checkpoint {

// Elements [begin, end) of a tensor's dimension `dim`, at least one of them: the part that a rank
// of a tensor group has of it.
struct Slice {
  int dim = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

// A checkpoint's tensors as LibTorch sees them, on the device to compute on. Not thread-safe.
//
// On LibTorch's device "meta", tensors have dtypes and shapes but no values: every check is made,
// no weight is read, and the bytes of the file are not touched.
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
  // `path` as weights::TensorMap::Open takes it. Tensors are asked for by the names that the model
  // has for them; `names` says how the file may write them. What a user should know about the files
  // is a warning (common/settings/collector.h).
  static absl::StatusOr<Weights> Open(const std::string& path, at::Device device,
                                      const weights::TensorNames& names = {});

  bool Has(const std::string& name) const { return loader_.Find(name) != nullptr; }
  // Nothing when there is no such tensor.
  std::optional<std::vector<int64_t>> ShapeOf(const std::string& name) const;

  // The dtype that GetAsStored returns. Nothing when there is no such tensor, or it has a dtype
  // that no model computes with.
  std::optional<at::ScalarType> TypeOf(const std::string& name) const;

  // Whether two tensors, both there, have the same dtype, shape and values. On "meta", which reads
  // no values, false.
  bool IsSame(const std::string& a, const std::string& b) const;

  // The tensor, converted to float32 from float64, float32, float16 or bfloat16. What is missing or
  // has another shape or dtype is noted, and zeros are returned in its place.
  //
  // `shape` is the whole tensor's also where only a slice of it is returned. On the CPU a slice of
  // dimension 0 is a view of the mapped file as well; any other is a copy of its elements alone.
  // Requires: the slice lies in `shape`.
  at::Tensor Get(const std::string& name, at::IntArrayRef shape,
                 const std::optional<Slice>& slice = std::nullopt);

  // The same in the dtype that it is stored in: float32, float16 or bfloat16. float64 is rounded to
  // float32, as transformers does for a model in float32.
  at::Tensor GetAsStored(const std::string& name, at::IntArrayRef shape,
                         const std::optional<Slice>& slice = std::nullopt);

  // Bytes of the file that were asked for: of tensors and slices that are there, as they are
  // stored, once for each time.
  int64_t bytes_asked() const { return bytes_asked_; }

  // Notes that the model has this tensor, though another rank reads it: it is not unused.
  void Skip(const std::string& name) { loader_.Skip(name); }

  // Notes a fault of a tensor that the caller found.
  void Fault(const std::string& name, const std::string& fault) { loader_.Fault(name, fault); }

  // OK, or INVALID_ARGUMENT that lists every tensor that was missing or had another dtype or shape,
  // or why a tensor, which is named, could not be brought to the GPU.
  absl::Status Finish() const;

 private:
  Weights(std::shared_ptr<const weights::TensorMap> map, at::Device device,
          std::unique_ptr<GpuReader> gpu_reader, const weights::TensorNames& names)
      : map_(std::move(map)),
        loader_(*map_, names),
        device_(device),
        gpu_reader_(std::move(gpu_reader)) {}

  // Of a tensor that is there, in the dtype of the file.
  at::Tensor Read(const std::string& name, const weights::TensorView& view, at::ScalarType type,
                  const std::optional<Slice>& slice);
  // `beyond`: bytes behind it that will be asked for next.
  at::Tensor ViewOf(const weights::TensorView& view, at::ScalarType type, uint64_t beyond);
  at::Tensor CopyOf(const weights::TensorView& view, at::ScalarType type, const Slice& slice);
  // To be called before `bytes` more are read.
  void Trim(int64_t bytes);
  at::Tensor ReadToGpu(const std::string& name, const weights::TensorView& view,
                       at::ScalarType type);

  std::shared_ptr<const weights::TensorMap> map_;
  weights::WeightLoader loader_;
  at::Device device_;
  std::unique_ptr<GpuReader> gpu_reader_;  // Null on the CPU.
  int64_t bytes_asked_ = 0;
  int64_t untrimmed_bytes_ = 0;  // On the CPU.
  absl::Status gpu_status_;      // The first error of it.
};

}  // namespace terminus::models::checkpoint
