#include "models/nn/loader.h"

namespace terminus::models::nn {

at::Tensor Loader::Get(const std::string& name, at::IntArrayRef shape) const {
  const at::Tensor stored = weights_.GetAsStored(name, shape);
  // On a GPU it is nobody else's already.
  return stored.to(dtype_, /*non_blocking=*/false, /*copy=*/stored.is_cpu());
}

Linear Loader::MakeLinear(const at::Tensor& weight, const std::optional<at::Tensor>& bias) const {
  if (!bias) {
    return Linear(weight.to(dtype_), std::nullopt);
  }
  return Linear(weight.to(dtype_), bias->to(dtype_));
}

Linear Loader::GetLinear(const std::string& name, int64_t in, int64_t out, bool bias) const {
  const at::Tensor weight = weights_.GetAsStored(name + ".weight", {out, in});
  if (!bias) {
    return MakeLinear(weight, std::nullopt);
  }
  return MakeLinear(weight, weights_.GetAsStored(name + ".bias", {out}));
}

Linear Loader::GetJoined(const std::vector<std::pair<std::string, int64_t>>& names_and_outs,
                         int64_t in, bool bias) const {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (const auto& [name, out] : names_and_outs) {
    weights.push_back(weights_.GetAsStored(name + ".weight", {out, in}));
    if (bias) {
      biases.push_back(weights_.GetAsStored(name + ".bias", {out}));
    }
  }
  if (!bias) {
    return MakeLinear(at::cat(weights), std::nullopt);
  }
  return MakeLinear(at::cat(weights), at::cat(biases));
}

LayerNorm Loader::GetNorm(const std::string& name, int64_t width, double eps) const {
  return {
      .weight = Get(name + ".weight", {width}), .bias = Get(name + ".bias", {width}), .eps = eps};
}

}  // namespace terminus::models::nn
