#include <algorithm>
#include <flashinfer/attention/hopper/attention_updater.cuh>
#include <flashinfer/attention/hopper/default_params.cuh>
#include <flashinfer/attention/hopper/prefill_sm90.cuh>
#include <flashinfer/attention/hopper/variant_helper.cuh>
#include <flashinfer/attention/hopper/variants.cuh>
#include <flashinfer/attention/mask.cuh>
#include <flashinfer/attention/scheduler.cuh>
#include <flashinfer/cutlass_utils.cuh>
#include <vector>

#include "models/decoder/cuda/hopper_prefill.h"
#include "models/decoder/cuda/memory.h"

namespace terminus::models::decoder::cuda {
namespace {

using Element = flashinfer::cutlass_dtype_t<Bf16>;
using Params = flashinfer::BatchPrefillPagedParams<Element, Element, Element, int32_t>;

constexpr int kHeadDim = 128;

template <class T>
T* At(void* base, int64_t offset) {
  return reinterpret_cast<T*>(static_cast<uint8_t*>(base) + offset);
}

}  // namespace

PrefillSchedule PlanHopperPrefill(const PrefillShape& shape, const PrefillTables& host,
                                  const PrefillWorkspace& workspace, cudaStream_t stream) {
  std::vector<int32_t> lengths;
  for (int i = 0; i < host.sequences; ++i) {
    lengths.push_back((host.kv_indptr[i + 1] - host.kv_indptr[i] - 1) * kBlockTokens +
                      host.last_page_len[i]);
  }
  flashinfer::PrefillPlanSM90Info info;
  Check(flashinfer::PrefillSM90Plan<int32_t>(
            workspace.partial, workspace.partial_bytes, workspace.schedule,
            workspace.pinned_schedule, workspace.schedule_bytes, info, host.query_indptr,
            host.kv_indptr, lengths.data(), host.query_indptr[host.sequences], host.sequences,
            shape.heads, shape.kv_heads, shape.head_dim, shape.head_dim, kBlockTokens,
            /*causal=*/true, /*enable_cuda_graph=*/false, sizeof(Bf16), stream),
        "prefill schedule");
  if (info.same_schedule_for_all_heads) {
    // Of more than 4,096 tiles of queries: no step is that large.
    throw CudaError(cudaErrorInvalidValue, "prefill schedule");
  }
  const std::vector<int64_t> values = info.ToVector();
  PrefillSchedule schedule = {.hopper = true, .tokens = host.query_indptr[host.sequences]};
  std::copy(values.begin(), values.end(), schedule.values.begin());
  return schedule;
}

void LaunchHopperPrefill(const PrefillShape& shape, const PrefillAttentionArgs& args,
                         const PrefillSchedule& schedule, const PrefillWorkspace& workspace,
                         cudaStream_t stream) {
  flashinfer::PrefillPlanSM90Info info;
  info.FromVector({schedule.values.begin(), schedule.values.begin() + 9});
  Params params = {};
  const auto element = [](const Bf16* data) {
    return reinterpret_cast<Element*>(const_cast<Bf16*>(data));
  };
  params.q_ptr = element(args.q);
  params.k_ptr = element(args.cache.keys);
  params.v_ptr = element(args.cache.values);
  params.o_ptr = element(args.out);
  params.q_stride_n = args.q_stride;
  params.q_stride_h = kHeadDim;
  params.o_stride_n = shape.heads * kHeadDim;
  params.o_stride_h = kHeadDim;
  params.k_stride_n = params.v_stride_n = kHeadDim;
  params.k_stride_h = params.v_stride_h = kBlockTokens * kHeadDim;
  params.k_page_stride = params.v_page_stride = int64_t{shape.kv_heads} * kBlockTokens * kHeadDim;
  params.nnz_qo = schedule.tokens;
  params.num_qo_heads = shape.heads;
  params.num_kv_heads = shape.kv_heads;
  params.group_size = shape.heads / shape.kv_heads;
  params.page_size = kBlockTokens;
  params.window_left = -1;
  params.causal = true;
  params.additional_params.sm_scale = args.scale;
  const auto table = [&](int64_t offset) { return At<int32_t>(workspace.schedule, offset); };
  params.qo_tile_indices = table(info.qo_tile_indices_offset);
  params.qo_indptr = table(info.qo_indptr_offset);
  params.kv_indptr = table(info.kv_indptr_offset);
  params.qo_lens = table(info.qo_len_offset);
  params.kv_lens = table(info.kv_len_offset);
  params.head_indices = table(info.head_indices_offset);
  params.work_indptr = table(info.work_indptr_offset);
  params.batch_indices = table(info.batch_indices_offset);
  params.kv_indices = const_cast<int32_t*>(args.kv_indices);
  Check(flashinfer::BatchPrefillWithPagedKVCacheDispatched<
            kHeadDim, kHeadDim, flashinfer::MaskMode::kCausal, /*LEFT_SLIDING_WINDOW=*/false,
            /*SAME_SCHEDULE_FOR_ALL_HEADS=*/false, flashinfer::StandardAttention, Params>(
            params, /*enable_pdl=*/false, stream),
        "prefill attention");
}

}  // namespace terminus::models::decoder::cuda
