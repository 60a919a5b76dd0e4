#pragma once

#include "common/metrics/metrics.h"

namespace terminus::grammar {

// The metrics that the compilers of a process share. Outlives them.
struct CompilerMetrics {
  explicit CompilerMetrics(metrics::Registry& registry);

  // Seconds of compilations that ended, with a grammar or an error.
  metrics::Histogram& compile_seconds;
  // Sources whose result was known or being made, and all others.
  metrics::Counter& cache_hits;
  metrics::Counter& cache_misses;
  metrics::Gauge& cache_bytes;
};

}  // namespace terminus::grammar
