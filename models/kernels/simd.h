#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

// Sixteen floats as one value, for the CPU kernels. The compiler lowers it to what the target
// has; TERMINUS_SIMD_CLONES makes a function once for each instruction set worth having, chosen
// when the process starts. Helpers called from such a function must be TERMINUS_ALWAYS_INLINE.
namespace terminus::models::kernels {

#if defined(__x86_64__) && !defined(__clang__)
#define TERMINUS_SIMD_CLONES __attribute__((target_clones("avx512f", "fma", "default")))
#else
#define TERMINUS_SIMD_CLONES
#endif
#define TERMINUS_ALWAYS_INLINE inline __attribute__((always_inline))

// The calls are all inlined, so how a 64-byte value would be passed does not matter.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

inline constexpr int kLanes = 16;
using Vec = float __attribute__((vector_size(64)));
using IntVec = int32_t __attribute__((vector_size(64)));

TERMINUS_ALWAYS_INLINE Vec Load(const float* from) {
  Vec value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

TERMINUS_ALWAYS_INLINE void Store(float* to, Vec value) { std::memcpy(to, &value, sizeof(value)); }

TERMINUS_ALWAYS_INLINE Vec Splat(float value) { return Vec{} + value; }

TERMINUS_ALWAYS_INLINE Vec Max(Vec a, Vec b) { return a > b ? a : b; }
TERMINUS_ALWAYS_INLINE Vec Min(Vec a, Vec b) { return a < b ? a : b; }

TERMINUS_ALWAYS_INLINE float Sum(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) {
    sum += v[i];
  }
  return sum;
}

TERMINUS_ALWAYS_INLINE float Largest(Vec v) {
  float largest = v[0];
  for (int i = 1; i < kLanes; ++i) {
    largest = v[i] > largest ? v[i] : largest;
  }
  return largest;
}

// e^x for x <= 0, to two units in the last place; 0 below -87.
// Range reduction to [-ln 2 / 2, ln 2 / 2] and the polynomial of Cephes' expf.
TERMINUS_ALWAYS_INLINE Vec ExpOfNegative(Vec x) {
  const IntVec tiny = x < -87.0f;
  // Adding and taking away 1.5 · 2^23 rounds to the nearest integer.
  const Vec shifted = x * 1.44269504088896341f + 12582912.0f;
  const Vec n = shifted - 12582912.0f;
  const Vec r = x - n * 0.693359375f - n * -2.12194440e-4f;
  Vec p = Splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // The low bits of `shifted` are n; added to p's exponent they multiply by 2^n.
  const IntVec scaled = std::bit_cast<IntVec>(p) + (std::bit_cast<IntVec>(shifted) << 23);
  return std::bit_cast<Vec>(tiny ? IntVec{} : scaled);
}

#pragma GCC diagnostic pop

}  // namespace terminus::models::kernels
