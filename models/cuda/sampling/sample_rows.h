#pragma once

#include <cuda_runtime_api.h>

#include "models/cuda/sampling/sampler_state.h"

// The kernels of DeviceSampler, which says what must hold.
namespace terminus::models::cuda {

// Binds a slot: a block clears its marks and fills them. `rules` and `tokens` are read by the
// device, and may be pinned memory of the host.
cudaError_t LaunchOpenSlot(const SamplerState& state, int32_t slot,
                           const sampling::SlotSampling& slot_sampling,
                           const sampling::TokenRule* rules, const int32_t* tokens,
                           int32_t token_count, cudaStream_t stream);

// Any rows: a block each.
cudaError_t LaunchSampleRows(const SamplerState& state, const TerminusSamplingCall& call,
                             cudaStream_t stream);

// Rows whose likeliest token is all that is asked for: several blocks each where rows are few.
cudaError_t LaunchGreedyRows(const SamplerState& state, const TerminusSamplingCall& call,
                             cudaStream_t stream);

}  // namespace terminus::models::cuda
