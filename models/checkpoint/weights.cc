#include "models/checkpoint/weights.h"

#include "common/base/status_macros.h"

namespace terminus::models::checkpoint {
namespace {

at::ScalarType ScalarTypeOf(weights::DType dtype) {
  switch (dtype) {
    case weights::DType::kFloat16:
      return at::kHalf;
    case weights::DType::kBFloat16:
      return at::kBFloat16;
    default:
      return at::kFloat;
  }
}

}  // namespace

absl::StatusOr<Weights> Weights::Open(const std::string& path, at::Device device) {
  TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<const weights::TensorMap> map,
                            weights::TensorMap::Open(path));
  return Weights(std::move(map), device);
}

std::optional<std::vector<int64_t>> Weights::ShapeOf(const std::string& name) const {
  const weights::TensorView* found = map_->Find(name);
  return found == nullptr ? std::nullopt : std::optional(found->shape);
}

at::Tensor Weights::Get(const std::string& name, at::IntArrayRef shape) {
  return GetAsStored(name, shape).to(at::kFloat);
}

at::Tensor Weights::GetAsStored(const std::string& name, at::IntArrayRef shape) {
  const weights::TensorView* found = map_->Find(name);
  const at::ScalarType type = found == nullptr ? at::kFloat : ScalarTypeOf(found->dtype);
  const weights::DType dtype = type == at::kFloat ? weights::DType::kFloat32 : found->dtype;
  const weights::TensorView view =
      loader_.Get(name, dtype, absl::MakeConstSpan(shape.data(), shape.size()));
  if (view.data.empty()) {
    return at::zeros(shape, at::TensorOptions(device_).dtype(at::kFloat));
  }
  // The tensor may outlive this object, so it holds the map. It is never written to.
  void* data = const_cast<std::byte*>(view.data.data());
  at::Tensor tensor = at::from_blob(
      data, shape, [map = map_](void*) {}, type);
  if (reinterpret_cast<uintptr_t>(data) % alignof(float) != 0) {
    tensor = tensor.clone();
  }
  return tensor.to(device_);
}

absl::Status Weights::Finish() const { return loader_.Finish(); }

}  // namespace terminus::models::checkpoint
