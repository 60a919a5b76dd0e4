#pragma once

#include <cstdint>

// Hopper's products of a warpgroup: 64 rows of weights by N rows of x, both in shared memory, 16
// columns at a time.
namespace terminus::models::decoder::cuda {

// c [64, kN] = a [64, 16] · b [kN, 16]ᵀ, plus c if `adds`. `a` and `b` describe the operands as
// the PTX manual says of matrix descriptors. Thread t of the warpgroup has the rows
// 16 · (t / 32) + t % 32 / 4, and 8 further on, and of each 8 columns the two from 2 · (t % 4) on:
// c[4 · (column / 8) + 2 · (row / 8 % 2) + column % 2].
template <int kN>
__device__ __forceinline__ void MultiplyWarpgroup(float (&c)[kN / 2], uint64_t a, uint64_t b,
                                                  int adds);

template <>
__device__ __forceinline__ void MultiplyWarpgroup<8>(float (&c)[4], uint64_t a, uint64_t b,
                                                     int adds) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %6, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3}, "
      "%4, %5, p, 1, 1, 0, 0;\n"
      "}\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "l"(a), "l"(b), "r"(adds));
}

template <>
__device__ __forceinline__ void MultiplyWarpgroup<16>(float (&c)[8], uint64_t a, uint64_t b,
                                                      int adds) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %10, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7}, "
      "%8, %9, p, 1, 1, 0, 0;\n"
      "}\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]),
        "+f"(c[7])
      : "l"(a), "l"(b), "r"(adds));
}

template <>
__device__ __forceinline__ void MultiplyWarpgroup<32>(float (&c)[16], uint64_t a, uint64_t b,
                                                      int adds) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %18, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "
      "%16, %17, p, 1, 1, 0, 0;\n"
      "}\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]),
        "+f"(c[7]), "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]),
        "+f"(c[14]), "+f"(c[15])
      : "l"(a), "l"(b), "r"(adds));
}

template <>
__device__ __forceinline__ void MultiplyWarpgroup<64>(float (&c)[32], uint64_t a, uint64_t b,
                                                      int adds) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "%32, %33, p, 1, 1, 0, 0;\n"
      "}\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]),
        "+f"(c[7]), "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]),
        "+f"(c[14]), "+f"(c[15]), "+f"(c[16]), "+f"(c[17]), "+f"(c[18]), "+f"(c[19]), "+f"(c[20]),
        "+f"(c[21]), "+f"(c[22]), "+f"(c[23]), "+f"(c[24]), "+f"(c[25]), "+f"(c[26]), "+f"(c[27]),
        "+f"(c[28]), "+f"(c[29]), "+f"(c[30]), "+f"(c[31])
      : "l"(a), "l"(b), "r"(adds));
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
