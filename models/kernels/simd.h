#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

// Several floats as one value, for the CPU kernels. The compiler lowers it to what the target has:
// TERMINUS_SIMD_CLONES makes a function once for each instruction set worth having, chosen when the
// process starts; functions made for one set alone carry TERMINUS_AVX512 or TERMINUS_AVX2 and use
// vectors of its registers' size. Helpers called from either must be TERMINUS_ALWAYS_INLINE.
namespace terminus::models::kernels {

#if defined(__x86_64__) && !defined(__clang__)
#define TERMINUS_SIMD_CLONES __attribute__((target_clones("avx512f", "fma", "default")))
#else
#define TERMINUS_SIMD_CLONES
#endif
#if defined(__x86_64__)
#define TERMINUS_AVX512 __attribute__((target("avx512f")))
#define TERMINUS_AVX2 __attribute__((target("avx2,fma")))
#else
#define TERMINUS_AVX512
#define TERMINUS_AVX2
#endif
#define TERMINUS_ALWAYS_INLINE inline __attribute__((always_inline))

// The calls are all inlined, so how a vector would be passed does not matter.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

namespace internal {

// Not one template: GCC 12 loses the attribute where its argument depends on a parameter.
template <int kWidth>
struct VecOf;
template <>
struct VecOf<8> {
  using Type = float __attribute__((vector_size(32)));
};
template <>
struct VecOf<16> {
  using Type = float __attribute__((vector_size(64)));
};

}  // namespace internal

// kWidth floats: 16 fill a register of AVX-512, 8 one of AVX2.
template <int kWidth>
using VecOf = typename internal::VecOf<kWidth>::Type;

// What comparing two V makes: as many int32_t.
template <typename V>
using IntVecOf = decltype(V{} < V{});

template <typename V>
struct UintVecOf {
  typedef uint32_t Type __attribute__((vector_size(sizeof(V))));
};

template <typename V>
inline constexpr int kLanesOf = sizeof(V) / sizeof(float);

// The widest, for kernels that leave the rest to the compiler.
inline constexpr int kLanes = 16;
using Vec = VecOf<kLanes>;
using IntVec = IntVecOf<Vec>;

template <typename V = Vec>
TERMINUS_ALWAYS_INLINE V Load(const float* from) {
  V value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename V>
TERMINUS_ALWAYS_INLINE void Store(float* to, V value) {
  std::memcpy(to, &value, sizeof(value));
}

template <typename V = Vec>
TERMINUS_ALWAYS_INLINE V Splat(float value) {
  return V{} + value;
}

template <typename V>
TERMINUS_ALWAYS_INLINE V Max(V a, V b) {
  return a > b ? a : b;
}

template <typename V>
TERMINUS_ALWAYS_INLINE V Min(V a, V b) {
  return a < b ? a : b;
}

// By halves, so that few additions wait for each other.
template <typename V>
TERMINUS_ALWAYS_INLINE float Sum(V v) {
  if constexpr (kLanesOf<V> == 16) {
    return Sum(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
               __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
  } else {
    const auto four =
        __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
    return (four[0] + four[2]) + (four[1] + four[3]);
  }
}

template <typename V>
TERMINUS_ALWAYS_INLINE float Largest(V v) {
  if constexpr (kLanesOf<V> == 16) {
    return Largest(Max(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                       __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)));
  } else {
    const auto four =
        Max(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7));
    return std::max(std::max(four[0], four[2]), std::max(four[1], four[3]));
  }
}

// e^x for x <= 0, to two units in the last place; 0 below -87.
// Range reduction to [-ln 2 / 2, ln 2 / 2] and the polynomial of Cephes' expf.
template <typename V>
TERMINUS_ALWAYS_INLINE V ExpOfNegative(V x) {
  const IntVecOf<V> tiny = x < -87.0f;
  // Adding and taking away 1.5 · 2^23 rounds to the nearest integer.
  const V shifted = x * 1.44269504088896341f + 12582912.0f;
  const V n = shifted - 12582912.0f;
  const V r = x - n * 0.693359375f - n * -2.12194440e-4f;
  V p = Splat<V>(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // The low bits of `shifted` are n; added to p's exponent they multiply by 2^n.
  // Unsigned, for the sum of tiny x wraps around.
  using Bits = typename UintVecOf<V>::Type;
  const Bits scaled = std::bit_cast<Bits>(p) + (std::bit_cast<Bits>(shifted) << 23);
  return std::bit_cast<V>(tiny ? Bits{} : scaled);
}

#pragma GCC diagnostic pop

}  // namespace terminus::models::kernels
