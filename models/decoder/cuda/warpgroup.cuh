#pragma once

#define CUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED
#include <cstdint>
#include <cute/arch/mma_sm90_gmma.hpp>
#include <utility>

// Hopper's products of a warpgroup: 64 rows by N rows, both in shared memory, 16 columns at a time.
namespace terminus::models::decoder::cuda {

// CUTLASS's instruction for N rows of b.
template <int kN>
struct WarpgroupAtom;

#define TERMINUS_WARPGROUP_ATOM(n)                                                             \
  template <>                                                                                  \
  struct WarpgroupAtom<n> {                                                                    \
    using Type = cute::SM90::GMMA::MMA_64x##n##x16_F32BF16BF16_SS<cute::SM90::GMMA::Major::K,  \
                                                                  cute::SM90::GMMA::Major::K>; \
  };
TERMINUS_WARPGROUP_ATOM(8)
TERMINUS_WARPGROUP_ATOM(16)
TERMINUS_WARPGROUP_ATOM(32)
TERMINUS_WARPGROUP_ATOM(64)
TERMINUS_WARPGROUP_ATOM(224)
TERMINUS_WARPGROUP_ATOM(256)
#undef TERMINUS_WARPGROUP_ATOM

template <int kN, size_t... kIndex>
__device__ __forceinline__ void MultiplyWarpgroup(float (&c)[kN / 2], uint64_t a, uint64_t b,
                                                  int adds, std::index_sequence<kIndex...>) {
  WarpgroupAtom<kN>::Type::fma(
      a, b, c[kIndex]...,
      adds != 0 ? cute::SM90::GMMA::ScaleOut::One : cute::SM90::GMMA::ScaleOut::Zero);
}

// c [64, kN] = a [64, 16] · b [kN, 16]ᵀ, plus c if `adds`. `a` and `b` describe the operands as
// the PTX manual says of matrix descriptors. Thread t of the warpgroup has the rows
// 16 · (t / 32) + t % 32 / 4, and 8 further on, and of each 8 columns the two from 2 · (t % 4) on:
// c[4 · (column / 8) + 2 · (row / 8 % 2) + column % 2].
template <int kN>
__device__ __forceinline__ void MultiplyWarpgroup(float (&c)[kN / 2], uint64_t a, uint64_t b,
                                                  int adds) {
  MultiplyWarpgroup<kN>(c, a, b, adds, std::make_index_sequence<kN / 2>());
}

__device__ __forceinline__ void BeginWarpgroup() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void CommitWarpgroup() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int kPending>
__device__ __forceinline__ void WaitForWarpgroup() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// Of a tile of rows of 128 bytes in shared memory, swizzled by 128 bytes, aligned to 1,024.
__device__ __forceinline__ uint64_t DescribeTile(uint32_t address) {
  constexpr uint64_t kEightRows = 1024 >> 4;
  return ((address & 0x3ffff) >> 4) | uint64_t{1} << 16 | kEightRows << 32 | uint64_t{1} << 62;
}

}  // namespace terminus::models::decoder::cuda
