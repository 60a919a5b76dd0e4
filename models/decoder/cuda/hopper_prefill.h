#pragma once

#include "models/decoder/cuda/prefill_attention.h"

// FlashInfer's prefill kernels for Hopper, after FlashAttention 3 (Shah et al., 2024). Heads of 128
// and no window.
namespace terminus::models::decoder::cuda {

// As PlanPrefill and LaunchPrefillAttention.
PrefillSchedule PlanHopperPrefill(const PrefillShape& shape, const PrefillTables& host,
                                  const PrefillWorkspace& workspace, HopperPlanner& planner,
                                  cudaStream_t stream);
void LaunchHopperPrefill(const PrefillShape& shape, const PrefillAttentionArgs& args,
                         const PrefillSchedule& schedule, const PrefillWorkspace& workspace,
                         cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
