#include <flashinfer/attention/hopper/attention_updater.cuh>
#include <flashinfer/attention/hopper/default_params.cuh>
#include <flashinfer/attention/hopper/prefill_sm90.cuh>
#include <flashinfer/attention/hopper/variant_helper.cuh>
#include <flashinfer/attention/hopper/variants.cuh>
#include <flashinfer/attention/mask.cuh>
#include <flashinfer/cutlass_utils.cuh>

#include "models/decoder/cuda/hopper_prefill.h"
#include "models/decoder/cuda/memory.h"

namespace terminus::models::decoder::cuda {
namespace {

using Element = flashinfer::cutlass_dtype_t<Bf16>;
using Params = flashinfer::BatchPrefillPagedParams<Element, Element, Element, int32_t>;

constexpr int kHeadDim = 128;

int Multiprocessors() {
  int device = 0;
  int count = 0;
  Check(cudaGetDevice(&device), "cudaGetDevice");
  Check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device),
        "cudaDeviceGetAttribute");
  return count;
}

}  // namespace

PrefillSchedule PlanHopperPrefill(const PrefillShape& shape, const PrefillTables& host,
                                  const PrefillWorkspace& workspace, HopperPlanner& planner,
                                  cudaStream_t stream) {
  const HopperSequences sequences = {.query_indptr = host.query_indptr,
                                     .kv_indptr = host.kv_indptr,
                                     .last_page_len = host.last_page_len,
                                     .count = host.sequences};
  const int64_t items = CountHopperItems(sequences, shape.heads);
  // FlashInfer launches a thread block for each multiprocessor.
  const int blocks = Multiprocessors();
  const size_t bytes = HopperTableSize(items, blocks) * sizeof(int32_t);
  if (bytes > workspace.schedule_bytes) {
    throw CudaError(cudaErrorMemoryAllocation, "prefill schedule");
  }
  auto* const pinned = static_cast<int32_t*>(workspace.pinned_schedule);
  planner.Plan(sequences, shape.heads, blocks, PlaceHopperTables(pinned, items, blocks));
  Check(cudaMemcpyAsync(workspace.schedule, pinned, bytes, cudaMemcpyHostToDevice, stream),
        "copy of the prefill schedule");
  return {.hopper = true,
          .tokens = host.query_indptr[host.sequences],
          .items = items,
          .thread_blocks = blocks,
          .values = {}};
}

void LaunchHopperPrefill(const PrefillShape& shape, const PrefillAttentionArgs& args,
                         const PrefillSchedule& schedule, const PrefillWorkspace& workspace,
                         cudaStream_t stream) {
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
  const HopperTables tables = PlaceHopperTables(static_cast<int32_t*>(workspace.schedule),
                                                schedule.items, schedule.thread_blocks);
  params.work_indptr = tables.work_indptr;
  params.qo_tile_indices = tables.tiles;
  params.qo_indptr = tables.query_begins;
  params.qo_lens = tables.query_lengths;
  params.kv_indptr = tables.kv_begins;
  params.kv_lens = tables.kv_lengths;
  params.head_indices = tables.heads;
  params.batch_indices = tables.sequences;
  params.kv_indices = const_cast<int32_t*>(args.kv_indices);
  Check(flashinfer::BatchPrefillWithPagedKVCacheDispatched<
            kHeadDim, kHeadDim, flashinfer::MaskMode::kCausal, /*LEFT_SLIDING_WINDOW=*/false,
            /*SAME_SCHEDULE_FOR_ALL_HEADS=*/false, flashinfer::StandardAttention, Params>(
            params, /*enable_pdl=*/false, stream),
        "prefill attention");
}

}  // namespace terminus::models::decoder::cuda
