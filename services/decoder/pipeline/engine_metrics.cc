#include "services/decoder/pipeline/engine_metrics.h"

namespace terminus::services::decoder::pipeline {
namespace {

metrics::Gauge& Blocks(metrics::Registry& registry, const char* state) {
  return registry.AddGauge("terminus_decoder_kv_blocks",
                           "KV blocks: in use, free, or kept for prompts that begin alike.",
                           {{"state", state}});
}

metrics::Counter& Tokens(metrics::Registry& registry, const char* kind) {
  return registry.AddCounter(
      "terminus_decoder_tokens_total",
      "Tokens: of prompts, of prompts taken from cached KV blocks, and generated.",
      {{"kind", kind}});
}

}  // namespace

EngineMetrics::EngineMetrics(metrics::Registry& registry)
    : time_to_first_token_seconds(registry.AddHistogram(
          "terminus_decoder_time_to_first_token_seconds",
          "Time from a request's arrival to its first token.", metrics::SecondsBuckets())),
      inter_token_seconds(registry.AddHistogram("terminus_decoder_inter_token_seconds",
                                                "Time between two tokens of one choice.",
                                                metrics::SecondsBuckets())),
      queue_seconds(registry.AddHistogram("terminus_decoder_queue_seconds",
                                          "Time from a request's arrival to its first step.",
                                          metrics::SecondsBuckets())),
      step_seconds(registry.AddHistogram("terminus_decoder_step_seconds",
                                         "Time a step took on the device.",
                                         metrics::SecondsBuckets())),
      step_host_seconds(registry.AddHistogram(
          "terminus_decoder_step_host_seconds",
          "Time the host took for a step: to plan it, to give it to the device, and to apply its "
          "result; without waiting for the device.",
          metrics::SecondsBuckets())),
      step_tokens(registry.AddHistogram("terminus_decoder_step_tokens", "Tokens in a step.",
                                        metrics::CountBuckets(8192))),
      cancel_to_release_seconds(registry.AddHistogram(
          "terminus_decoder_cancel_to_release_seconds",
          "Time from a cancellation to the release of a sequence's KV blocks.",
          metrics::SecondsBuckets())),
      mask_seconds(registry.AddHistogram(
          "terminus_decoder_mask_seconds",
          "Time to find the tokens that an output format allows next in one answer.",
          metrics::SecondsBuckets())),
      steps_in_flight(registry.AddGauge("terminus_decoder_steps_in_flight",
                                        "Steps given to the device whose results are not there.")),
      running_sequences(registry.AddGauge("terminus_decoder_running_sequences",
                                          "Sequences that have KV blocks.")),
      waiting_sequences(registry.AddGauge("terminus_decoder_waiting_sequences",
                                          "Sequences that wait for KV blocks or for a place.")),
      preemptions(registry.AddCounter("terminus_decoder_preemptions_total",
                                      "Sequences that had to give their KV blocks back.")),
      prompt_tokens(Tokens(registry, "prompt")),
      cached_prompt_tokens(Tokens(registry, "cached_prompt")),
      generated_tokens(Tokens(registry, "generated")),
      used_blocks(Blocks(registry, "used")),
      free_blocks(Blocks(registry, "free")),
      cached_blocks(Blocks(registry, "cached")) {}

}  // namespace terminus::services::decoder::pipeline
