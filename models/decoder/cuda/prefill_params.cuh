#pragma once

#include <flashinfer/attention/default_prefill_params.cuh>

#include "models/decoder/cuda/prefill_attention.h"

namespace terminus::models::decoder::cuda {

using PrefillParams = flashinfer::BatchPrefillPagedParams<Bf16, Bf16, Bf16, int32_t>;

// One for each size of heads. Throw CudaError.
void RunPrefill64(const PrefillParams& params, uint32_t tile_queries, Bf16* partial_sums,
                  float* partial_weights, cudaStream_t stream);
void RunPrefill128(const PrefillParams& params, uint32_t tile_queries, Bf16* partial_sums,
                   float* partial_weights, cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
