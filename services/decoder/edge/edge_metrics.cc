#include "services/decoder/edge/edge_metrics.h"

#include "absl/status/status.h"
#include "common/base/errors.h"

namespace terminus::services::decoder::edge {

MethodMetrics::MethodMetrics(metrics::Registry& registry, const std::string& method) {
  for (int code = 0; code < kCodes; ++code) {
    calls_[static_cast<size_t>(code)] = &registry.AddCounter(
        "terminus_decoder_calls_total", "Calls answered, by status code.",
        {{"method", method},
         {"code", absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}});
  }
}

FormatRefusals::FormatRefusals(metrics::Registry& registry) {
  for (const char* reason :
       {base::kReasonInvalidRequest, base::kReasonFormatTooSlow, base::kReasonFormatTooLarge,
        base::kReasonNoTokenLeft, base::kReasonNoOutputFormat, base::kReasonOverloaded}) {
    by_reason_[reason] = &registry.AddCounter(
        "terminus_decoder_grammar_refused_total",
        "Output formats that were refused, and answers that could not go on because of theirs.",
        {{"reason", reason}});
  }
}

void FormatRefusals::Count(const absl::Status& status) {
  const auto found = by_reason_.find(base::Reason(status));
  if (found != by_reason_.end()) {
    found->second->Increment();
  }
}

EdgeMetrics::EdgeMetrics(metrics::Registry& registry)
    : generate(registry, "Generate"),
      tokenize(registry, "Tokenize"),
      detokenize(registry, "Detokenize"),
      score(registry, "Score"),
      recognize(registry, "Recognize"),
      format_refusals(registry),
      requests(registry.AddGauge("terminus_decoder_requests",
                                 "Generate requests inside, those that wait included.")),
      refused(registry.AddCounter("terminus_decoder_refused_total",
                                  "Calls refused because too many were inside.")),
      ready(registry.AddGauge(
          "terminus_decoder_ready",
          "1 once the bundle is loaded and its golden answers came out right.")) {}

}  // namespace terminus::services::decoder::edge
