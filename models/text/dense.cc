#include "models/text/dense.h"

#include <optional>

#include "common/base/status_macros.h"
#include "models/checkpoint/weights.h"

namespace terminus::models::text {

using Activation = DenseConfig::Activation;

absl::StatusOr<Dense> Dense::Load(const DenseConfig& config, at::Device device) {
  TERMINUS_ASSIGN_OR_RETURN(auto weights, checkpoint::Weights::Open(config.folder, device));
  at::Tensor weight =
      weights.Get("linear.weight", {config.out_features, config.in_features}).clone();
  at::Tensor bias =
      config.bias ? weights.Get("linear.bias", {config.out_features}).clone() : at::Tensor();
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return Dense(config.activation, std::move(weight), std::move(bias));
}

at::Tensor Dense::Forward(const at::Tensor& vectors) const {
  const at::Tensor out = at::linear(
      vectors, weight_, bias_.defined() ? std::optional<at::Tensor>(bias_) : std::nullopt);
  switch (activation_) {
    case Activation::kTanh:
      return at::tanh(out);
    case Activation::kRelu:
      return at::relu(out);
    case Activation::kGelu:
      return at::gelu(out);
    case Activation::kSigmoid:
      return at::sigmoid(out);
    case Activation::kIdentity:
      break;
  }
  return out;
}

}  // namespace terminus::models::text
