#pragma once

#include <cstdint>

namespace terminus::models::kernels {

// Rotary position embedding of "RoFormer" (Su et al., 2021), with the halves of a head as pairs:
// element i and i + head_dim / 2 are turned by the angle whose cosine and sine are at place i.
// x [heads, head_dim], in place; cos and sin [head_dim / 2].
void RotateHeads(float* x, int heads, int head_dim, const float* cos, const float* sin);

}  // namespace terminus::models::kernels
