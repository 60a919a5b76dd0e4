#pragma once

#include <string>

#include "common/metrics/metrics.h"

namespace terminus::services::router::dispatch {

// What a pool reports, labelled with its service.
struct PoolMetrics {
  PoolMetrics(metrics::Registry& registry, const std::string& service)
      : queue(registry.AddHistogram("terminus_router_queue_seconds",
                                    "Time an item waited until its batch was sent",
                                    metrics::SecondsBuckets(), {{"service", service}})),
        batch_items(registry.AddHistogram("terminus_router_batch_items", "Items of a batch",
                                          metrics::CountBuckets(1024), {{"service", service}})),
        batch_cost(registry.AddHistogram("terminus_router_batch_cost",
                                         "Estimated cost of a batch, in tokens or patches",
                                         metrics::CountBuckets(1 << 17), {{"service", service}})),
        compute(registry.AddHistogram("terminus_router_compute_seconds",
                                      "Time on the device that a replica reports for a batch",
                                      metrics::SecondsBuckets(), {{"service", service}})),
        round_trip(registry.AddHistogram("terminus_router_batch_seconds",
                                         "Time from sending a batch to its answer",
                                         metrics::SecondsBuckets(), {{"service", service}})),
        retried(registry.AddCounter("terminus_router_retried_items_total",
                                    "Items sent again because their replica was lost",
                                    {{"service", service}})),
        ready(registry.AddGauge("terminus_router_replicas_ready",
                                "Replicas that batches are sent to", {{"service", service}})) {}

  metrics::Histogram& queue;
  metrics::Histogram& batch_items;
  metrics::Histogram& batch_cost;
  metrics::Histogram& compute;
  metrics::Histogram& round_trip;
  metrics::Counter& retried;
  metrics::Gauge& ready;
};

}  // namespace terminus::services::router::dispatch
