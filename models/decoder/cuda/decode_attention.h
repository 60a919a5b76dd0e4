#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/decoder/cuda/kernels.h"

// Attention of single new tokens over the KV blocks of their sequences, by tensor cores: softmax
// over runs of blocks with a running maximum (Milakov and Gimelshein, 2018), long sequences split
// among thread blocks and their parts merged in a fixed order (Dao et al., "Flash-Decoding", 2023).
namespace terminus::models::decoder::cuda {

// A part of one row's attention, which one thread block computes for one group of query heads.
struct alignas(16) DecodeItem {
  int32_t row = 0;    // Row of the token in `qkv` and `out`.
  int32_t table = 0;  // Index into kv_indices of the part's first block.
  // Tokens from the first block's first one to the part's last one, and how many of the first ones
  // lie outside of the window, fewer than kBlockTokens.
  int32_t tokens = 0;
  int32_t skipped = 0;
  int32_t split = 0;  // Index of the part.
  int32_t splits = 1;
  int32_t partial = 0;  // Index of the row's first part among all partial results.
  int32_t newest = 0;   // 1: the part ends with the token of this step.
};

// Groups of query heads: those that share a KV head, or eight of them where there are more.
int DecodeGroups(int heads, int kv_heads);

struct DecodeAttentionArgs {
  const Bf16* qkv;  // [rows, (heads + 2 · kv_heads) · head_dim]
  Bf16* out;        // [rows, heads · head_dim]
  KvCache cache;
  const int32_t* kv_indices;  // Block ids.
  const DecodeItem* items;    // Those of the largest part count first.
  const int32_t* item_count;  // One on the device, at most max_items.
  // Of the rows that are split: [parts, heads, head_dim] sums that are not normalised, and
  // [parts, heads] maximum and sum of weights.
  float* partial_sums;
  float2* partial_weights;
  int32_t* arrived;  // [rows, groups], zeros; zeros again afterwards.
  int max_items;
  int heads;
  int kv_heads;
  int head_dim;  // 64 or 128.
  float scale;
};

cudaError_t LaunchDecodeAttention(const DecodeAttentionArgs& args, cudaStream_t stream);

// Thread blocks of the kernel that the current device runs at a time; 0 where it cannot run.
int DecodeAttentionSlots(int head_dim);

}  // namespace terminus::models::decoder::cuda
