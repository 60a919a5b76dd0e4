#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>

#include "models/cuda/cuda_api.h"
#include "models/cuda/launch.cuh"

// How kernels of packed attention cut their work into items, how an item's rows come to shared
// memory, and how such a kernel is launched.
namespace terminus::models::cuda {

constexpr int kHeadDim = 64;
constexpr int kRowBytes = kHeadDim * 2;
__device__ __forceinline__ uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes, or zeros where `valid` is false.
__device__ __forceinline__ void CopyAsync(uint32_t to, const void* from, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes));
}

// For this thread's copies.
__device__ __forceinline__ void WaitForCopies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// Where a part of 16 bytes lies in its row of 128: the eight are permuted by the row, so that eight
// rows' equal parts are in different banks.
__device__ __forceinline__ uint32_t Swizzled(int row, int part) {
  return static_cast<uint32_t>((part ^ (row & 7)) << 4);
}

// What a block works on at one time, and where its rows lie.
struct Item {
  const __nv_bfloat16* qkv;  // Of the sequence's first token and this head.
  int begin;                 // The first token.
  int length;                // Tokens of the sequence.
  int first;                 // The first query.
  int head;
};

// How the work is cut, and how much shared memory each of `buffers` takes.
struct Plan {
  int queries;  // Of a block.
  int blocks;   // Of queries, of a sequence.
  int items;
  int buffers;
  int rows;  // Of keys in shared memory; the queries lie before them, the values behind.

  __host__ __device__ int buffer_bytes() const { return (queries + 2 * rows) * kRowBytes; }
};

__device__ __forceinline__ Item FindItem(const TerminusCudaAttention& args, const Plan& plan,
                                         int index) {
  Item item;
  item.head = index % args.heads;
  const int rest = index / args.heads;
  const int sequence = rest / plan.blocks;
  item.first = rest % plan.blocks * plan.queries;
  item.begin = args.offsets ? args.offsets[sequence] : sequence * args.max_length;
  item.length = args.offsets ? args.offsets[sequence + 1] - item.begin : args.max_length;
  const int64_t stride = int64_t{3} * args.heads * kHeadDim;
  item.qkv = static_cast<const __nv_bfloat16*>(args.qkv) + item.begin * stride +
             int64_t{item.head} * kHeadDim;
  return item;
}

// Rows [begin, end) of one of the three parts; zeros beyond the sequence.
__device__ __forceinline__ void CopyRows(uint32_t to, const __nv_bfloat16* from, int64_t stride,
                                         int begin, int end, int length) {
  const int part = static_cast<int>(threadIdx.x) % 8;
  const int rows = static_cast<int>(blockDim.x) / 8;  // At a time.
  int row = static_cast<int>(threadIdx.x) / 8;
  const __nv_bfloat16* source = from + (begin + row) * stride + part * 8;
  for (; row < end - begin; row += rows, source += rows * stride) {
    const bool valid = begin + row < length;
    // The first row where there is none: an address that is good, of which nothing is read.
    CopyAsync(to + row * kRowBytes + Swizzled(row, part), valid ? source : from, valid);
  }
}

// Where the parts of an item lie in shared memory.
struct Buffer {
  uint32_t queries;
  uint32_t keys;
  uint32_t values;
};

__device__ __forceinline__ Buffer BufferAt(uint32_t address, const Plan& plan) {
  const uint32_t keys = address + plan.queries * kRowBytes;
  return {address, keys, keys + plan.rows * kRowBytes};
}

// `keys`: with the zeros behind the sequence.
__device__ __forceinline__ void CopyItem(const Buffer& to, const Item& item, int keys,
                                         const Plan& plan, int heads) {
  if (item.first >= item.length) {
    return;
  }
  const int64_t hidden = int64_t{heads} * kHeadDim;
  CopyRows(to.queries, item.qkv, 3 * hidden, item.first, item.first + plan.queries, item.length);
  CopyRows(to.keys, item.qkv + hidden, 3 * hidden, 0, keys, item.length);
  CopyRows(to.values, item.qkv + 2 * hidden, 3 * hidden, 0, keys, item.length);
}

// A block's share: one item after the other, what the next one needs copied to shared memory
// meanwhile if there is room. Kernel::Keys(length) says how many keys it reads, zeros included;
// Kernel::Ready() makes what a thread copied fit for reading; Kernel::Compute(buffer, item, args)
// is for all threads of the block.
template <class Kernel>
__device__ __forceinline__ void RunItems(const TerminusCudaAttention& args, const Plan& plan,
                                         uint32_t shared) {
  WaitForBefore();
  const int step = static_cast<int>(gridDim.x);
  const auto copy = [&](const Item& item, int turn) {
    CopyItem(BufferAt(shared + turn * plan.buffer_bytes(), plan), item, Kernel::Keys(item.length),
             plan, args.heads);
  };
  const bool ahead = plan.buffers == 2;
  int turn = 0;
  Item next = FindItem(args, plan, blockIdx.x);
  if (ahead) {
    copy(next, turn);
  }
  for (int index = blockIdx.x; index < plan.items; index += step) {
    const Item item = next;
    const Buffer current = BufferAt(shared + turn * plan.buffer_bytes(), plan);
    if (!ahead) {
      __syncthreads();
      copy(item, turn);
    }
    WaitForCopies();
    Kernel::Ready();
    // All that was copied is there, and nobody reads the item before this one any more.
    __syncthreads();
    if (index + step < plan.items) {
      next = FindItem(args, plan, index + step);
      if (ahead) {
        turn ^= 1;
        copy(next, turn);
      }
    }
    Kernel::Compute(current, item, args);
  }
}

// What a kernel can do with: tiles of so many queries by so many threads each, at most so many of
// them in a block, and `keys` of the longest sequence in shared memory, zeros included.
struct Tiling {
  int queries;
  int threads;
  int max_tiles;
  int keys;
};

// The launch of `kernel` for all of `args`. cudaErrorInvalidValue where not even one tile fits.
template <class Function>
cudaError_t LaunchItems(Function* kernel, const TerminusCudaAttention& args, const Tiling& tiling,
                        cudaStream_t stream) {
  int device = 0;
  int processors = 0;
  int shared_bytes = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  }
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  if (error != cudaSuccess) {
    return error;
  }
  const auto divided = [](int a, int b) { return (a + b - 1) / b; };
  const int tiles = divided(args.max_length, tiling.queries);
  const int pairs = args.heads * args.sequences;
  // Long sequences leave room for few queries.
  const int room = (shared_bytes / kRowBytes - 2 * tiling.keys) / tiling.queries;
  if (room < 1) {
    return cudaErrorInvalidValue;
  }
  // Few pairs of sequence and head are cut finer, so that every multiprocessor has work.
  const int parts = std::min(std::max(divided(tiles, tiling.max_tiles), processors / pairs), tiles);
  const int of_block = std::min(divided(tiles, parts), room);
  Plan plan;
  plan.queries = of_block * tiling.queries;
  plan.blocks = divided(tiles, of_block);
  plan.items = plan.blocks * pairs;
  plan.rows = tiling.keys;
  plan.buffers = plan.items > processors && 2 * plan.buffer_bytes() <= shared_bytes ? 2 : 1;
  const int threads = of_block * tiling.threads;
  const int bytes = plan.buffers * plan.buffer_bytes();
  int resident = 0;
  error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error == cudaSuccess) {
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, threads, bytes);
  }
  if (error != cudaSuccess) {
    return error;
  }
  const int grid = std::min(plan.items, processors * std::max(resident, 1));
  return LaunchBehind(kernel, grid, threads, static_cast<size_t>(bytes), stream, args, plan);
}

}  // namespace terminus::models::cuda
