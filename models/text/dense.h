#pragma once

#include <ATen/ATen.h>

#include <utility>

#include "absl/status/statusor.h"
#include "models/text/dense_config.h"

namespace terminus::models::text {

// A Dense module with its weights, in float32. Immutable: any thread may use it.
class Dense {
 public:
  // Reads the weights of config.folder; errors as of checkpoint::Weights.
  static absl::StatusOr<Dense> Load(const DenseConfig& config, at::Device device);

  // [texts, in_features] → [texts, out_features], float32.
  at::Tensor Forward(const at::Tensor& vectors) const;

 private:
  Dense(DenseConfig::Activation activation, at::Tensor weight, at::Tensor bias)
      : activation_(activation), weight_(std::move(weight)), bias_(std::move(bias)) {}

  DenseConfig::Activation activation_;
  at::Tensor weight_;  // [out_features, in_features]
  at::Tensor bias_;    // [out_features], or undefined.
};

}  // namespace terminus::models::text
