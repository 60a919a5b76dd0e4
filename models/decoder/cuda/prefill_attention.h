#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "models/decoder/cuda/hopper_schedule.h"
#include "models/decoder/cuda/kernels.h"

// Attention of several new tokens of a sequence over its KV blocks, themselves included, causal: by
// FlashInfer's paged prefill kernels (Ye et al., "FlashInfer: Efficient and Customizable Attention
// Engine for LLM Inference Serving", 2025).
namespace terminus::models::decoder::cuda {

// Memory that one step's schedule and partial results take. A step in flight needs schedule memory
// of its own; partial results may be shared along a stream.
struct PrefillWorkspace {
  void* partial = nullptr;
  size_t partial_bytes = 0;
  void* schedule = nullptr;
  void* pinned_schedule = nullptr;  // host; read by a copy until the step has run.
  size_t schedule_bytes = 0;
};

// How the thread blocks share the work of a step. The same for all layers with one window.
struct PrefillSchedule {
  bool hopper = false;
  int tokens = 0;
  int64_t items = 0;                    // Hopper's: of HopperTables.
  int thread_blocks = 0;                // Hopper's.
  std::array<int64_t, 15> values = {};  // The others': FlashInfer's.
};

struct PrefillShape {
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;  // 64 or 128.
};

// A step's sequences, on the host.
struct PrefillTables {
  int32_t* query_indptr;         // [sequences + 1]: new tokens, from 0.
  int32_t* kv_indptr;            // [sequences + 1]: KV blocks.
  const int32_t* last_page_len;  // [sequences]
  int sequences;
};

// Makes the schedule of a step and copies it to the device. Throws std::exception when the
// workspace is too small.
PrefillSchedule PlanPrefill(const PrefillShape& shape, int window, const PrefillTables& host,
                            const PrefillWorkspace& workspace, HopperPlanner& planner,
                            cudaStream_t stream);

struct PrefillAttentionArgs {
  const Bf16* q;  // First query of the first token; tokens q_stride apart.
  int q_stride;
  Bf16* out;  // [tokens, heads, head_dim]
  KvCache cache;
  const int32_t* query_indptr;  // [sequences + 1], from 0.
  const int32_t* kv_indptr;     // [sequences + 1], into kv_indices.
  const int32_t* kv_indices;
  const int32_t* last_page_len;  // [sequences]
  int sequences;
  int window;  // The schedule's, as TerminusLlamaLayer's.
  float scale;
};

// Throws std::exception on errors.
void LaunchPrefillAttention(const PrefillShape& shape, const PrefillAttentionArgs& args,
                            const PrefillSchedule& schedule, const PrefillWorkspace& workspace,
                            cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
