#pragma once

#include <ATen/ATen.h>

namespace terminus::models::nn {

// Where a model computes, and in what.
struct Placement {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  // Products in FP8 between values of `dtype`, which is bfloat16 then.
  bool fp8 = false;
};

}  // namespace terminus::models::nn
