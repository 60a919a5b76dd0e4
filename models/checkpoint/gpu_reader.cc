#include "models/checkpoint/gpu_reader.h"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <thread>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/gpu/library.h"

namespace terminus::models::checkpoint {
namespace {

// More do not read faster: together they move what the bus takes.
constexpr int kMaxThreads = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<GpuReader>> GpuReader::Create(at::Device device,
                                                             uint64_t total_bytes) {
  TERMINUS_CHECK(device.is_cuda() && device.has_index());
  TERMINUS_ASSIGN_OR_RETURN(const TerminusGpuApi* api, gpu::LoadLibrary());
  TERMINUS_ASSIGN_OR_RETURN(const TerminusCudaApi* cuda, cuda::LoadLibrary());
  gpu::StagedCopy::Options options{.device = device.index()};
  options.threads =
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxThreads);
  options.slots = static_cast<int>(
      std::clamp<uint64_t>(total_bytes / options.slot_bytes, options.threads, options.slots));
  const c10::DeviceGuard guard(device);
  TERMINUS_ASSIGN_OR_RETURN(auto copy, gpu::StagedCopy::Create(*api, options));
  return std::unique_ptr<GpuReader>(new GpuReader(device, *cuda, std::move(copy)));
}

absl::Status GpuReader::Read(const weights::MappedFile& file, absl::Span<const std::byte> part,
                             const at::Tensor& to) {
  TERMINUS_CHECK(to.device() == device_ && to.is_contiguous() && to.nbytes() == part.size());
  const c10::DeviceGuard guard(device_);
  const uint64_t begin = part.data() - file.bytes().data();
  return copy_->Copy(
      to.mutable_data_ptr(), part.size(), cuda_.current_stream(device_.index()),
      [&](uint64_t offset, absl::Span<std::byte> out) { return file.Read(begin + offset, out); });
}

}  // namespace terminus::models::checkpoint
