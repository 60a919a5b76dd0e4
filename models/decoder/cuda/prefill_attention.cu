#include <algorithm>
#include <flashinfer/attention/mask.cuh>
#include <flashinfer/attention/scheduler.cuh>
#include <vector>

#include "models/cuda/hopper.h"
#include "models/decoder/cuda/hopper_prefill.h"
#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/prefill_params.cuh"

namespace terminus::models::decoder::cuda {
namespace {

// FlashInfer counts the tokens before a token's own, and means all of them by -1.
int WindowLeft(int window) { return window > 0 ? window - 1 : -1; }

template <class T>
T* At(void* base, int64_t offset) {
  return reinterpret_cast<T*>(static_cast<uint8_t*>(base) + offset);
}

}  // namespace

PrefillSchedule PlanPrefill(const PrefillShape& shape, int window, const PrefillTables& host,
                            const PrefillWorkspace& workspace, HopperPlanner& planner,
                            cudaStream_t stream) {
  if (shape.head_dim == 128 && window == 0 && models::cuda::IsHopper()) {
    return PlanHopperPrefill(shape, host, workspace, planner, stream);
  }
  flashinfer::PrefillPlanInfo info;
  Check(flashinfer::PrefillPlan<int32_t>(
            workspace.partial, workspace.partial_bytes, workspace.schedule,
            workspace.pinned_schedule, workspace.schedule_bytes, info, host.query_indptr,
            host.kv_indptr, host.query_indptr[host.sequences], host.sequences, shape.heads,
            shape.kv_heads, shape.head_dim, shape.head_dim, kBlockTokens,
            /*enable_cuda_graph=*/false, sizeof(Bf16), WindowLeft(window), /*fixed_split_size=*/-1,
            /*disable_split_kv=*/false, /*num_colocated_ctas=*/0, /*uniform_q_len=*/0,
            /*fixed_uniform_q_len=*/false, stream),
        "prefill schedule");
  const std::vector<int64_t> values = info.ToVector();
  PrefillSchedule schedule;
  schedule.tokens = host.query_indptr[host.sequences];
  std::copy(values.begin(), values.end(), schedule.values.begin());
  return schedule;
}

void LaunchPrefillAttention(const PrefillShape& shape, const PrefillAttentionArgs& args,
                            const PrefillSchedule& schedule, const PrefillWorkspace& workspace,
                            cudaStream_t stream) {
  if (schedule.hopper) {
    LaunchHopperPrefill(shape, args, schedule, workspace, stream);
    return;
  }
  flashinfer::PrefillPlanInfo info;
  info.FromVector({schedule.values.begin(), schedule.values.end()});
  flashinfer::paged_kv_t<Bf16, int32_t> kv(
      shape.kv_heads, kBlockTokens, shape.head_dim, args.sequences, flashinfer::QKVLayout::kHND,
      args.cache.keys, args.cache.values, const_cast<int32_t*>(args.kv_indices),
      const_cast<int32_t*>(args.kv_indptr), const_cast<int32_t*>(args.last_page_len));
  PrefillParams params(const_cast<Bf16*>(args.q), kv, /*maybe_custom_mask=*/nullptr,
                       const_cast<int32_t*>(args.query_indptr), /*maybe_mask_indptr=*/nullptr,
                       /*maybe_q_rope_offset=*/nullptr, args.out, /*lse=*/nullptr,
                       /*maybe_alibi_slopes=*/nullptr, shape.heads, args.q_stride, shape.head_dim,
                       WindowLeft(args.window),
                       /*logits_soft_cap=*/0.f, args.scale, /*rope_scale=*/1.f,
                       /*rope_theta=*/1.f);
  params.request_indices = At<int32_t>(workspace.schedule, info.request_indices_offset);
  params.qo_tile_indices = At<int32_t>(workspace.schedule, info.qo_tile_indices_offset);
  params.kv_tile_indices = At<int32_t>(workspace.schedule, info.kv_tile_indices_offset);
  params.o_indptr = At<int32_t>(workspace.schedule, info.o_indptr_offset);
  params.kv_chunk_size_ptr = At<int32_t>(workspace.schedule, info.kv_chunk_size_ptr_offset);
  params.max_total_num_rows = static_cast<uint32_t>(info.total_num_rows);
  params.padded_batch_size = static_cast<uint32_t>(info.padded_batch_size);
  Bf16* partial_sums = nullptr;
  float* partial_weights = nullptr;
  if (info.split_kv) {
    params.merge_indptr = At<int32_t>(workspace.schedule, info.merge_indptr_offset);
    partial_sums = At<Bf16>(workspace.partial, info.v_offset);
    partial_weights = At<float>(workspace.partial, info.s_offset);
  }
  const auto run = shape.head_dim == 128 ? RunPrefill128 : RunPrefill64;
  run(params, static_cast<uint32_t>(info.cta_tile_q), partial_sums, partial_weights, stream);
}

}  // namespace terminus::models::decoder::cuda
