#include "common/grammar/compiler_metrics.h"

namespace terminus::grammar {
namespace {

metrics::Counter& Lookups(metrics::Registry& registry, const char* result) {
  return registry.AddCounter("terminus_decoder_grammar_cache_lookups_total",
                             "Output formats that were known or being compiled (hit), or had to be "
                             "compiled (miss).",
                             {{"result", result}});
}

}  // namespace

CompilerMetrics::CompilerMetrics(metrics::Registry& registry)
    : compile_seconds(registry.AddHistogram("terminus_decoder_grammar_compile_seconds",
                                            "Time to compile an output format.",
                                            metrics::SecondsBuckets())),
      cache_hits(Lookups(registry, "hit")),
      cache_misses(Lookups(registry, "miss")),
      cache_bytes(registry.AddGauge("terminus_decoder_grammar_cache_bytes",
                                    "Memory of the compiled output formats that are kept.")) {}

}  // namespace terminus::grammar
