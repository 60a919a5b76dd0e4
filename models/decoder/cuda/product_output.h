#pragma once

namespace terminus::models::decoder::cuda {

// What a product does with its sums.
enum class ProductOutput {
  kBf16,   // y = x · weightᵀ + bias
  kAdd,    // y += x · weightᵀ + bias
  kFloat,  // y = x · weightᵀ + bias, in float32
  kGated,  // y = silu(gate) · up, of the first and the second half of x · weightᵀ + bias
};

}  // namespace terminus::models::decoder::cuda
