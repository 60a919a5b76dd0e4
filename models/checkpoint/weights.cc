#include "models/checkpoint/weights.h"

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
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

// The shape of a tensor of `shape`, or of its slice.
std::vector<int64_t> SizesOf(at::IntArrayRef shape, const std::optional<Slice>& slice) {
  std::vector<int64_t> sizes = shape.vec();
  if (slice) {
    TERMINUS_CHECK(slice->dim >= 0 && slice->dim < static_cast<int>(sizes.size()));
    TERMINUS_CHECK(0 <= slice->begin && slice->begin < slice->end &&
                   slice->end <= sizes[slice->dim]);
    sizes[slice->dim] = slice->end - slice->begin;
  }
  return sizes;
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

at::Tensor Weights::Get(const std::string& name, at::IntArrayRef shape,
                        const std::optional<Slice>& slice) {
  return GetAsStored(name, shape, slice).to(at::kFloat);
}

at::Tensor Weights::GetAsStored(const std::string& name, at::IntArrayRef shape,
                                const std::optional<Slice>& slice) {
  const weights::TensorView* const found = loader_.Find(name);
  const auto known = found == nullptr ? std::nullopt : ScalarTypeOf(found->dtype);
  const weights::TensorView view =
      loader_.Get(name, known ? found->dtype : weights::DType::kFloat32,
                  absl::MakeConstSpan(shape.data(), shape.size()));
  const std::vector<int64_t> sizes = SizesOf(shape, slice);
  const at::ScalarType type = known.value_or(at::kFloat);
  if (view.data.empty()) {
    return at::zeros(sizes, at::TensorOptions(device_).dtype(at::kFloat));
  }
  bytes_asked_ += c10::multiply_integers(sizes) * static_cast<int64_t>(at::elementSize(type));
  const at::Tensor tensor = device_.is_meta()
                                ? at::empty(sizes, at::TensorOptions(device_).dtype(type))
                                : Read(name, view, type, slice);
  return type == at::kDouble ? tensor.to(at::kFloat) : tensor;
}

at::Tensor Weights::Read(const std::string& name, const weights::TensorView& view,
                         at::ScalarType type, const std::optional<Slice>& slice) {
  // Behind a slice lies what other ranks read.
  const uint64_t beyond = slice ? 0 : weights::MappedFile::kReadAhead;
  if (slice && slice->dim != 0) {
    return CopyOf(view, type, *slice);
  }
  const weights::TensorView part =
      slice ? *weights::SliceRows(view, slice->begin, slice->end) : view;
  return gpu_reader_ == nullptr ? ViewOf(part, type, beyond) : ReadToGpu(name, part, type);
}

void Weights::Trim(int64_t bytes) {
  untrimmed_bytes_ += bytes;
  if (untrimmed_bytes_ >= kTrimEvery) {
    base::ReturnFreedMemory();
    untrimmed_bytes_ = 0;
  }
}

at::Tensor Weights::ViewOf(const weights::TensorView& view, at::ScalarType type, uint64_t beyond) {
  Trim(static_cast<int64_t>(view.data.size()));
  const std::shared_ptr<const weights::MappedFile> file = map_->FileOf(view);
  file->ReadAhead(view.data, beyond);
  // The tensor may outlive this object, so it holds the file. It is never written to.
  void* data = const_cast<std::byte*>(view.data.data());
  at::Tensor tensor = at::from_blob(
      data, view.shape, [file, bytes = view.data](void*) { file->Release(bytes); }, type);
  if (reinterpret_cast<uintptr_t>(data) % at::elementSize(type) != 0) {
    tensor = tensor.clone();
  }
  return tensor.to(device_);
}

at::Tensor Weights::CopyOf(const weights::TensorView& view, at::ScalarType type,
                           const Slice& slice) {
  const std::shared_ptr<const weights::MappedFile> file = map_->FileOf(view);
  file->ReadAhead(view.data, /*beyond=*/0);
  const auto copy =
      std::make_shared<std::string>(*weights::SliceCopy(view, slice.dim, slice.begin, slice.end));
  Trim(static_cast<int64_t>(copy->size()));
  file->Release(view.data);
  return at::from_blob(
             copy->data(), SizesOf(view.shape, slice), [copy](void*) {}, type)
      .to(device_);
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
