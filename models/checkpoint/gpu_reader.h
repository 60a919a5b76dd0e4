#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/gpu/staged_copy.h"
#include "common/weights/mapped_file.h"
#include "models/cuda/library.h"

namespace terminus::models::checkpoint {

// Reads parts of files into tensors on one GPU, through pinned memory and past the files' mappings.
// Not thread-safe.
class GpuReader {
 public:
  // `total_bytes` is about what will be read: little of it takes little pinned memory.
  // FAILED_PRECONDITION without the CUDA library, RESOURCE_EXHAUSTED without pinned memory.
  static absl::StatusOr<std::unique_ptr<GpuReader>> Create(at::Device device, uint64_t total_bytes);

  // `part` of `file` as a tensor's bytes, `to`, of the same size and on the device, in the order of
  // LibTorch's current stream. Returns when they are on their way. After an error, which names the
  // file or the GPU, `to` is undefined, and so is every later tensor.
  absl::Status Read(const weights::MappedFile& file, absl::Span<const std::byte> part,
                    const at::Tensor& to);

 private:
  GpuReader(at::Device device, const TerminusCudaApi& cuda, std::unique_ptr<gpu::StagedCopy> copy)
      : device_(device), cuda_(cuda), copy_(std::move(copy)) {}

  const at::Device device_;
  const TerminusCudaApi& cuda_;
  const std::unique_ptr<gpu::StagedCopy> copy_;
};

}  // namespace terminus::models::checkpoint
