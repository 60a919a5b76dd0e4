#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/checkpoint/weights.h"
#include "models/nn/layer_norm.h"
#include "models/nn/linear.h"

namespace terminus::models::nn {

// Reads layers from a checkpoint in the dtype they are to compute in, on the device of its weights.
// What is missing or has another shape is noted in the weights, whose status the caller looks at
// when it has read all. The weights must outlive it.
class Loader {
 public:
  Loader(checkpoint::Weights& weights, at::ScalarType dtype) : weights_(weights), dtype_(dtype) {}

  bool Has(const std::string& name) const { return weights_.Has(name); }
  std::optional<std::vector<int64_t>> ShapeOf(const std::string& name) const {
    return weights_.ShapeOf(name);
  }
  at::ScalarType dtype() const { return dtype_; }

  // A copy of its own.
  at::Tensor Get(const std::string& name, at::IntArrayRef shape) const;
  // A view of the file where that has the dtype and the device: for tables of which a few rows are
  // read at a time.
  at::Tensor GetTable(const std::string& name, at::IntArrayRef shape) const {
    return weights_.GetAsStored(name, shape).to(dtype_);
  }
  // float32, a view of the file where it can be: for what is combined before it is used.
  at::Tensor GetFloat(const std::string& name, at::IntArrayRef shape) const {
    return weights_.Get(name, shape);
  }

  // `name`.weight [out, in] and, with a bias, `name`.bias [out].
  Linear GetLinear(const std::string& name, int64_t in, int64_t out, bool bias = true) const;
  // Maps of the same input as one, the outputs of each behind those before.
  Linear GetJoined(const std::vector<std::pair<std::string, int64_t>>& names_and_outs, int64_t in,
                   bool bias = true) const;
  // Of tensors at hand, in any dtype.
  Linear MakeLinear(const at::Tensor& weight, const std::optional<at::Tensor>& bias) const;

  // `name`.weight and `name`.bias, both [width].
  LayerNorm GetNorm(const std::string& name, int64_t width, double eps) const;

 private:
  checkpoint::Weights& weights_;
  at::ScalarType dtype_;
};

}  // namespace terminus::models::nn
