#pragma once

#include <cuda.h>

#include <cstdint>

// Hopper's copies of boxes of a matrix to shared memory, and the barriers there that count arrivals
// and bytes. Names and meanings are the PTX manual's.
namespace terminus::models::decoder::cuda {

__device__ __forceinline__ uint32_t Shared(const void* data) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(data));
}
__device__ __forceinline__ void InitBarrier(uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(Shared(barrier)), "r"(arrivals));
}
__device__ __forceinline__ void Arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(Shared(barrier)) : "memory");
}
__device__ __forceinline__ void ArriveExpecting(uint64_t* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(Shared(barrier)),
               "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void WaitFor(uint64_t* barrier, int parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "wait:\n"
      "mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
      "@done bra end;\n"
      "bra wait;\n"
      "end:\n"
      "}\n" ::"r"(Shared(barrier)),
      "r"(parity)
      : "memory");
}

// Arrives at the barrier that lies in the thread block `rank` of the cluster where `barrier` lies
// in this one.
__device__ __forceinline__ void ArriveInCluster(uint64_t* barrier, int rank) {
  asm volatile(
      "{\n"
      ".reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n"
      "}\n" ::"r"(Shared(barrier)),
      "r"(rank)
      : "memory");
}

// Copies one box to shared memory and counts its bytes at the barrier.
__device__ __forceinline__ void CopyBox(const CUtensorMap* map, uint32_t to, uint64_t* barrier,
                                        int column, int row) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4}], [%2];" ::"r"(to),
      "l"(map), "r"(Shared(barrier)), "r"(column), "r"(row)
      : "memory");
}
// The same to the thread blocks of the cluster whose bits are set in `ranks`, at the same place and
// barrier in each.
__device__ __forceinline__ void CopyBoxToCluster(const CUtensorMap* map, uint32_t to,
                                                 uint64_t* barrier, int column, int row,
                                                 int ranks) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(to),
      "l"(map), "r"(Shared(barrier)), "r"(column), "r"(row), "h"(static_cast<uint16_t>(ranks))
      : "memory");
}
// With a policy of the cache.
__device__ __forceinline__ void CopyBox(const CUtensorMap* map, uint32_t to, uint64_t* barrier,
                                        int column, int row, uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4}], [%2], %5;" ::"r"(to),
      "l"(map), "r"(Shared(barrier)), "r"(column), "r"(row), "l"(policy)
      : "memory");
}
// The same of a map that MapGated made: eight rows of gates, eight of what they gate, and so on.
__device__ __forceinline__ void CopyGatedBox(const CUtensorMap* map, uint32_t to, uint64_t* barrier,
                                             int column, int row, uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %4, %5}], [%2], %6;" ::"r"(to),
      "l"(map), "r"(Shared(barrier)), "r"(column), "r"(0), "r"(row / 8), "l"(policy)
      : "memory");
}
__device__ __forceinline__ uint64_t ReadOncePolicy() {
  uint64_t policy;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
__device__ __forceinline__ uint64_t ReadOftenPolicy() {
  uint64_t policy;
  asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

}  // namespace terminus::models::decoder::cuda
