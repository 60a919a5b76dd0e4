#include "models/nn/mkldnn.h"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace terminus::models::nn::mkldnn {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;

template <typename Signature>
auto Find(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

// How oneDNN's operators name an activation.
struct PostOp {
  c10::string_view name;
  Scalars scalars;
  std::optional<c10::string_view> algorithm;
};

PostOp PostOpFor(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      return {"relu", Scalars(), ""};
    case Activation::kRelu6:
      return {"hardtanh", Scalars({at::Scalar(0.0), at::Scalar(6.0)}), ""};
    case Activation::kGelu:
      return {"gelu", Scalars(), "none"};
    case Activation::kGeluTanh:
      return {"gelu", Scalars(), "tanh"};
    case Activation::kQuickGelu:  // It has none of this kind.
      break;
  }
  return {"none", Scalars(), ""};
}

}  // namespace

at::Tensor PackLinear(const at::Tensor& weight) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, std::optional<int64_t>)>("mkldnn::_reorder_linear_weight");
  return op.call(weight, std::nullopt);
}

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight,
                  const std::optional<at::Tensor>& bias, Activation activation) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                      c10::string_view, Scalars, std::optional<c10::string_view>)>(
          "mkldnn::_linear_pointwise");
  const PostOp post = PostOpFor(activation);
  const at::Tensor y = op.call(x, weight, bias, post.name, post.scalars, post.algorithm);
  return activation == Activation::kQuickGelu ? y * at::sigmoid(1.702 * y) : y;
}

at::Tensor LinearAdd(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                     const std::optional<at::Tensor>& bias) {
  static const auto op = Find<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                         const std::optional<at::Tensor>&, c10::string_view)>(
      "mkldnn::_linear_pointwise", "binary");
  return op.call(x, residual, weight, bias, "add");
}

}  // namespace terminus::models::nn::mkldnn
