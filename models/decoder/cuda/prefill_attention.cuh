#pragma once

#include <flashinfer/attention/prefill.cuh>
#include <flashinfer/attention/variants.cuh>

#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/prefill_params.cuh"

// FlashInfer's kernels for one size of heads: a translation unit each, for they compile long.
namespace terminus::models::decoder::cuda {

template <uint32_t kHeadDim>
void RunPrefill(PrefillParams params, uint32_t tile_queries, Bf16* partial_sums,
                float* partial_weights, cudaStream_t stream) {
  // With a window, which may be none.
  using Variant = flashinfer::DefaultAttention</*use_custom_mask=*/false,
                                               /*use_sliding_window=*/true,
                                               /*use_logits_soft_cap=*/false, /*use_alibi=*/false>;
  cudaError_t error = cudaSuccess;
  DISPATCH_CTA_TILE_Q(tile_queries, CTA_TILE_Q, {
    error = flashinfer::BatchPrefillWithPagedKVCacheDispatched<
        /*SAME_KV_STRIDES=*/true, CTA_TILE_Q, kHeadDim, kHeadDim,
        flashinfer::PosEncodingMode::kNone, /*USE_FP16_QK_REDUCTION=*/false,
        flashinfer::MaskMode::kCausal, /*USE_TOKEN_HEAD_SF=*/false, Variant, PrefillParams>(
        params, partial_sums, partial_weights, /*enable_pdl=*/false, stream);
  });
  Check(error, "prefill attention");
}

}  // namespace terminus::models::decoder::cuda
