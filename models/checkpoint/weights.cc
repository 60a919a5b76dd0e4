#include "models/checkpoint/weights.h"

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/freed_memory.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"

namespace terminus::models::checkpoint {
namespace {

// Bytes of tensors after which malloc gives back what it has free: models make temporaries of
// about a tensor's size, which it would keep, and they differ too much to take each other's places.
constexpr int64_t kTrimEvery = int64_t{8} << 20;

// Nothing for a dtype that no model's weights may have.
std::optional<at::ScalarType> ScalarTypeOf(weights::DType dtype) {
  switch (dtype) {
    case weights::DType::kFloat64:
      return at::kDouble;
    case weights::DType::kFloat32:
      return at::kFloat;
    case weights::DType::kFloat16:
      return at::kHalf;
    case weights::DType::kBFloat16:
      return at::kBFloat16;
    default:
      return std::nullopt;
  }
}

}  // namespace

absl::StatusOr<Weights> Weights::Open(const std::string& path, at::Device device,
                                      const weights::TensorNames& names) {
  TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<const weights::TensorMap> map,
                            weights::TensorMap::Open(path));
  for (const std::string& warning : map->warnings()) {
    settings::Warn(warning);
  }
  std::unique_ptr<GpuReader> gpu_reader;
  if (device.is_cuda()) {
    if (!device.has_index()) {
      device.set_index(0);
    }
    TERMINUS_ASSIGN_OR_RETURN(gpu_reader, GpuReader::Create(device, map->bytes()));
  }
  return Weights(std::move(map), device, std::move(gpu_reader), names);
}

std::optional<std::vector<int64_t>> Weights::ShapeOf(const std::string& name) const {
  const weights::TensorView* found = loader_.Find(name);
  return found == nullptr ? std::nullopt : std::optional(found->shape);
}

std::optional<at::ScalarType> Weights::TypeOf(const std::string& name) const {
  const weights::TensorView* found = loader_.Find(name);
  const auto type = found == nullptr ? std::nullopt : ScalarTypeOf(found->dtype);
  return type == at::kDouble ? at::kFloat : type;
}

bool Weights::IsSame(const std::string& a, const std::string& b) const {
  const weights::TensorView& first = *loader_.Find(a);
  const weights::TensorView& second = *loader_.Find(b);
  return !device_.is_meta() && first.dtype == second.dtype && first.shape == second.shape &&
         first.data == second.data;
}

at::Tensor Weights::Get(const std::string& name, at::IntArrayRef shape) {
  return GetAsStored(name, shape).to(at::kFloat);
}

at::Tensor Weights::GetAsStored(const std::string& name, at::IntArrayRef shape) {
  const weights::TensorView* const found = loader_.Find(name);
  const auto type = found == nullptr ? std::nullopt : ScalarTypeOf(found->dtype);
  const weights::TensorView view = loader_.Get(name, type ? found->dtype : weights::DType::kFloat32,
                                               absl::MakeConstSpan(shape.data(), shape.size()));
  if (view.data.empty()) {
    return at::zeros(shape, at::TensorOptions(device_).dtype(at::kFloat));
  }
  const at::Tensor tensor = Read(name, view, *type);
  return type == at::kDouble ? tensor.to(at::kFloat) : tensor;
}

at::Tensor Weights::Read(const std::string& name, const weights::TensorView& view,
                         at::ScalarType type) {
  if (device_.is_meta()) {
    return at::empty(view.shape, at::TensorOptions(device_).dtype(type));
  }
  return gpu_reader_ == nullptr ? ViewOf(view, type) : ReadToGpu(name, view, type);
}

at::Tensor Weights::ViewOf(const weights::TensorView& view, at::ScalarType type) {
  untrimmed_bytes_ += static_cast<int64_t>(view.data.size());
  if (untrimmed_bytes_ >= kTrimEvery) {
    base::ReturnFreedMemory();
    untrimmed_bytes_ = 0;
  }
  const std::shared_ptr<const weights::MappedFile> file = map_->FileOf(view);
  file->ReadAhead(view.data);
  // The tensor may outlive this object, so it holds the file. It is never written to.
  void* data = const_cast<std::byte*>(view.data.data());
  at::Tensor tensor = at::from_blob(
      data, view.shape, [file, bytes = view.data](void*) { file->Release(bytes); }, type);
  if (reinterpret_cast<uintptr_t>(data) % at::elementSize(type) != 0) {
    tensor = tensor.clone();
  }
  return tensor.to(device_);
}

at::Tensor Weights::ReadToGpu(const std::string& name, const weights::TensorView& view,
                              at::ScalarType type) {
  at::Tensor tensor = at::empty(view.shape, at::TensorOptions(device_).dtype(type));
  if (gpu_status_.ok()) {
    const absl::Status status = gpu_reader_->Read(*map_->FileOf(view), view.data, tensor);
    gpu_status_ = base::Annotate(status, absl::StrCat(map_->path(), ": tensor \"", name, "\""));
  }
  return tensor;
}

absl::Status Weights::Finish() const {
  TERMINUS_RETURN_IF_ERROR(loader_.Finish());
  return gpu_status_;
}

}  // namespace terminus::models::checkpoint
