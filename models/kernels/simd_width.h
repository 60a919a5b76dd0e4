#pragma once

namespace terminus::models::kernels {

// Floats in a vector of the instruction sets there are kernels for: 16 with AVX-512, 8 with AVX2
// and FMA. Kernels take the width as an argument, so that tests reach each that the processor has.
inline constexpr int kSimdWidths[] = {16, 8};

// Whether this processor has vectors of `width` floats.
inline bool SimdSupports(int width) {
#if defined(__x86_64__)
  switch (width) {
    case 16:
      return __builtin_cpu_supports("avx512f");
    case 8:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default:
      return false;
  }
#else
  return false;
#endif
}

// The widest it has; 0: none of them.
inline int SimdWidth() {
  for (const int width : kSimdWidths) {
    if (SimdSupports(width)) {
      return width;
    }
  }
  return 0;
}

}  // namespace terminus::models::kernels
