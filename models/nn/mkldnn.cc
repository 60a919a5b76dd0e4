#include "models/nn/mkldnn.h"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <array>

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
  return op.call(x, weight, bias, post.name, post.scalars, post.algorithm);
}

at::Tensor LinearAdd(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                     const std::optional<at::Tensor>& bias) {
  static const auto op = Find<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                         const std::optional<at::Tensor>&, c10::string_view)>(
      "mkldnn::_linear_pointwise", "binary");
  return op.call(x, residual, weight, bias, "add");
}

at::Tensor PackConvolution(const at::Tensor& weight, const Convolution& convolution,
                           at::IntArrayRef input_sizes) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t,
                      at::OptionalIntArrayRef)>("mkldnn::_reorder_convolution_weight");
  const std::array<int64_t, 2> padding = {convolution.padding, convolution.padding};
  const std::array<int64_t, 2> stride = {convolution.stride, convolution.stride};
  const std::array<int64_t, 2> dilation = {1, 1};
  return op.call(weight, padding, stride, dilation, convolution.groups, input_sizes);
}

at::Tensor Convolve(const at::Tensor& x, const at::Tensor& weight,
                    const std::optional<at::Tensor>& bias, const Convolution& convolution,
                    Activation activation) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                      at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, c10::string_view,
                      Scalars, std::optional<c10::string_view>)>("mkldnn::_convolution_pointwise");
  const std::array<int64_t, 2> padding = {convolution.padding, convolution.padding};
  const std::array<int64_t, 2> stride = {convolution.stride, convolution.stride};
  const std::array<int64_t, 2> dilation = {1, 1};
  const PostOp post = PostOpFor(activation);
  return op.call(x, weight, bias, padding, stride, dilation, convolution.groups, post.name,
                 post.scalars, post.algorithm);
}

}  // namespace terminus::models::nn::mkldnn
