#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

// The small kernels of a decoder's forward pass. All data is bfloat16 on the device unless it says
// otherwise, sums are float32, and widths are multiples of 8. Each launches on `stream` and returns
// without waiting.
namespace terminus::models::decoder::cuda {

using Bf16 = __nv_bfloat16;

// Tokens of a KV block.
inline constexpr int kBlockTokens = 16;

// Row t of `x` [tokens, hidden] is the embedding of token_ids[t], or of last_tokens[slots[t]] where
// token_ids[t] is -1.
struct EmbedArgs {
  const Bf16* table;           // [vocab, hidden]
  const int32_t* token_ids;    // [tokens]
  const int32_t* slots;        // [tokens]
  const int32_t* last_tokens;  // [slots]
  Bf16* x;
  int tokens;
  int hidden;
};
cudaError_t LaunchEmbed(const EmbedArgs& args, cudaStream_t stream);

// out[i] = x[rows[i]] / sqrt(mean(x²) + eps) · weight; without `rows`, of row i itself.
struct RmsNormArgs {
  const Bf16* x;        // [any, hidden]
  const Bf16* weight;   // [hidden]
  const int32_t* rows;  // [count], or null.
  Bf16* out;            // [count, hidden]
  int count;
  int hidden;  // At most 16,384.
  float eps;
};
cudaError_t LaunchRmsNorm(const RmsNormArgs& args, cudaStream_t stream);

// One layer's keys and values: [blocks, kv_heads, kBlockTokens, head_dim] each.
struct KvCache {
  Bf16* keys;
  Bf16* values;
};

// Prepares the heads of each token for attention: normalises queries and keys where there are
// norms, turns them by their position, and copies keys and values to the cache. Queries stay in
// `qkv`.
struct HeadsArgs {
  Bf16* qkv;               // [tokens, (heads + 2 · kv_heads) · head_dim]
  const Bf16* query_norm;  // [head_dim], or null; so key_norm.
  const Bf16* key_norm;
  const float2* angles;      // [max_context, head_dim / 2]: cosine and sine; null: no rotation.
  const int32_t* positions;  // [tokens]
  const int32_t* kv_rows;    // [tokens]: block · kBlockTokens + index inside the block.
  KvCache cache;
  int tokens;
  int heads;
  int kv_heads;
  int head_dim;  // 64 or 128.
  float eps;
};
cudaError_t LaunchHeads(const HeadsArgs& args, cudaStream_t stream);

// out [tokens, width] = silu(x[:, :width]) · x[:, width:], x [tokens, 2 · width].
cudaError_t LaunchSiluMul(const Bf16* x, Bf16* out, int64_t tokens, int64_t width,
                          cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
