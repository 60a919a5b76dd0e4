#pragma once

#include "common/metrics/metrics.h"

namespace terminus::services::decoder::pipeline {

// What the engine measures.
struct EngineMetrics {
  explicit EngineMetrics(metrics::Registry& registry);

  metrics::Histogram& time_to_first_token_seconds;
  metrics::Histogram& inter_token_seconds;
  metrics::Histogram& queue_seconds;
  metrics::Histogram& step_seconds;
  metrics::Histogram& step_host_seconds;
  metrics::Histogram& step_tokens;
  metrics::Histogram& cancel_to_release_seconds;
  metrics::Histogram& mask_seconds;
  metrics::Gauge& steps_in_flight;
  metrics::Gauge& running_sequences;
  metrics::Gauge& waiting_sequences;
  metrics::Counter& preemptions;
  metrics::Counter& prompt_tokens;
  metrics::Counter& cached_prompt_tokens;
  metrics::Counter& generated_tokens;
  metrics::Gauge& used_blocks;
  metrics::Gauge& free_blocks;
  metrics::Gauge& cached_blocks;
};

}  // namespace terminus::services::decoder::pipeline
