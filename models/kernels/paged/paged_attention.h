#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/kernels/isa.h"

namespace terminus::models::kernels {

// Tokens of one page.
inline constexpr int kPageTokens = 16;

// One layer's keys and values in pages, float32. A page's keys lie with the tokens inside, so that
// one query against a page's sixteen keys is a sum over vectors; its values lie as they are added.
struct KvPages {
  float* keys = nullptr;    // [pages, kv_heads, head_dim, kPageTokens]
  float* values = nullptr;  // [pages, kv_heads, kPageTokens, head_dim]
  int kv_heads = 0;
  int head_dim = 0;  // A multiple of 16.

  int64_t page_floats() const { return static_cast<int64_t>(kv_heads) * head_dim * kPageTokens; }
};

// Writes one token's keys and values, each [kv_heads, head_dim], to place `slot` of a page.
void WriteKv(const KvPages& pages, const float* keys, const float* values, int32_t page, int slot);

// Causal attention of each sequence's newest tokens over all of its tokens, theirs included:
//   out = softmax(Q Kᵀ · scale) V.
// The tables are those of models/decoder/kv_view.h. Heads come in groups: `heads` / `kv_heads` of
// them share keys and values (GQA, Ainslie et al., 2023).
struct PagedAttentionArgs {
  const float* q = nullptr;  // [tokens] rows `q_stride` apart: [heads, head_dim].
  int64_t q_stride = 0;
  float* out = nullptr;  // [tokens, heads, head_dim]
  KvPages kv;
  absl::Span<const int32_t> query_indptr;  // [sequences + 1]
  absl::Span<const int32_t> page_indptr;   // [sequences + 1]
  absl::Span<const int32_t> page_indices;
  absl::Span<const int32_t> last_page_len;  // [sequences]
  int heads = 0;
  float scale = 1;
  // A token sees itself and the `window` - 1 tokens before it. 0: all tokens before it.
  int window = 0;
};

// A part of the work that one thread does alone: some tokens of a sequence, all heads that share a
// head of keys and values.
struct AttentionUnit {
  int sequence;
  int kv_head;
  int first;  // Query token, from the sequence's first one in the step.
  int count;
};

// The units of a step, the dearest first; windows do not count for that. They do not depend on the
// layer.
std::vector<AttentionUnit> PlanPagedAttention(const PagedAttentionArgs& args);

// Computes one unit. Keys and values are read in runs of 128 tokens with the running maximum and
// sum of "Online normalizer calculation for softmax" (Milakov and Gimelshein, 2018).
class PagedAttention {
 public:
  // Scratch of one thread, for any unit of models with these sizes.
  PagedAttention(Isa isa, int heads, int kv_heads, int head_dim);

  void Run(const PagedAttentionArgs& args, const AttentionUnit& unit);

 private:
  Isa isa_;
  std::vector<float> scratch_;
};

bool PagedAttentionSupports(int heads, int kv_heads, int head_dim);

}  // namespace terminus::models::kernels
