#pragma once

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/metrics/metrics.h"

namespace terminus::services::router::edge {

// What the edge counts of one method.
class MethodMetrics {
 public:
  MethodMetrics(metrics::Registry& registry, const std::string& method);

  // A call answered, or an item of a stream.
  void CountRequest(absl::Duration took) { metrics::Observe(seconds_, took); }
  // `code` as google.rpc.Code numbers it; unknown ones count as 2, UNKNOWN.
  void CountCall(int code) { calls_[Index(code)]->Increment(); }
  void CountItem(int code) { items_[Index(code)]->Increment(); }

 private:
  static constexpr int kCodes = 17;
  static int Index(int code) { return code >= 0 && code < kCodes ? code : 2; }

  metrics::Histogram& seconds_;
  std::array<metrics::Counter*, kCodes> calls_;
  std::array<metrics::Counter*, kCodes> items_;
};

struct EdgeMetrics {
  explicit EdgeMetrics(metrics::Registry& registry)
      : embed(registry, "Embed"),
        embed_stream(registry, "EmbedStream"),
        generate(registry, "Generate"),
        tokenize(registry, "Tokenize"),
        detokenize(registry, "Detokenize"),
        score(registry, "Score"),
        recognize(registry, "Recognize") {}

  MethodMetrics embed;
  MethodMetrics embed_stream;
  MethodMetrics generate;
  MethodMetrics tokenize;
  MethodMetrics detokenize;
  MethodMetrics score;
  MethodMetrics recognize;
};

}  // namespace terminus::services::router::edge
