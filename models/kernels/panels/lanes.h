#pragma once

#include <cstdint>
#include <cstring>

#include "models/kernels/simd.h"

// Vectors of as many floats as one register of a chosen instruction set holds, for kernels that
// count their registers: simd.h's sixteen floats are two of AVX2's.
namespace terminus::models::kernels {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

template <int kCount>
struct LaneTypes;
template <>
struct LaneTypes<8> {
  using Float = float __attribute__((vector_size(32)));
  using Int = int32_t __attribute__((vector_size(32)));
  using Uint = uint32_t __attribute__((vector_size(32)));
};
template <>
struct LaneTypes<16> {
  using Float = float __attribute__((vector_size(64)));
  using Int = int32_t __attribute__((vector_size(64)));
  using Uint = uint32_t __attribute__((vector_size(64)));
};

template <int kCount>
using FloatLanes = typename LaneTypes<kCount>::Float;
template <int kCount>
using IntLanes = typename LaneTypes<kCount>::Int;
template <int kCount>
using UintLanes = typename LaneTypes<kCount>::Uint;

template <int kCount>
TERMINUS_ALWAYS_INLINE FloatLanes<kCount> LoadLanes(const float* from) {
  FloatLanes<kCount> value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <int kCount>
TERMINUS_ALWAYS_INLINE void StoreLanes(float* to, FloatLanes<kCount> value) {
  std::memcpy(to, &value, sizeof(value));
}

// silu(x) = x · sigmoid(x), without an overflow for any x.
template <int kCount>
TERMINUS_ALWAYS_INLINE FloatLanes<kCount> Silu(FloatLanes<kCount> x) {
  const FloatLanes<kCount> magnitude = x < 0.0f ? x : -x;
  Vec wide = {};
  std::memcpy(&wide, &magnitude, sizeof(magnitude));
  wide = ExpOfNegative(wide);
  FloatLanes<kCount> e;
  std::memcpy(&e, &wide, sizeof(e));
  return x * (x < 0.0f ? e : FloatLanes<kCount>{} + 1.0f) / (1.0f + e);
}

#pragma GCC diagnostic pop

}  // namespace terminus::models::kernels
