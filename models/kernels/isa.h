#pragma once

#include <vector>

namespace terminus::models::kernels {

// The instruction sets that kernels with a choice are made for.
enum class Isa {
  kGeneric,
  kAvx2,    // With FMA.
  kAvx512,  // F and VL.
};

// All that this processor has, the best one last.
std::vector<Isa> SupportedIsas();
Isa BestIsa();

#if defined(__x86_64__)
#define TERMINUS_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define TERMINUS_TARGET_AVX512 __attribute__((target("avx512f,avx512vl,fma")))
#else
#define TERMINUS_TARGET_AVX2
#define TERMINUS_TARGET_AVX512
#endif

}  // namespace terminus::models::kernels
