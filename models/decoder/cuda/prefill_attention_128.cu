#include "models/decoder/cuda/prefill_attention.cuh"

namespace terminus::models::decoder::cuda {

void RunPrefill128(const PrefillParams& params, uint32_t tile_queries, Bf16* partial_sums,
                   float* partial_weights, cudaStream_t stream) {
  RunPrefill<128>(params, tile_queries, partial_sums, partial_weights, stream);
}

}  // namespace terminus::models::decoder::cuda
