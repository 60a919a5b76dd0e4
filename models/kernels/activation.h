#pragma once

namespace terminus::models::kernels {

// What follows a linear map or a convolution, inside the same kernel where there is one.
enum class Activation {
  kNone,
  kRelu,
  kRelu6,
  kGelu,       // With the error function.
  kGeluTanh,   // With its approximation by tanh.
  kQuickGelu,  // x · sigmoid(1.702 x).
};

}  // namespace terminus::models::kernels
