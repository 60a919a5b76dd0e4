#pragma once

#include <array>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "common/metrics/metrics.h"

namespace terminus::services::decoder::edge {

// Calls of one method, by code.
class MethodMetrics {
 public:
  MethodMetrics(metrics::Registry& registry, const std::string& method);

  // `code` as google.rpc.Code numbers it; unknown ones count as 2, UNKNOWN.
  void Count(int code) {
    calls_[static_cast<size_t>(code >= 0 && code < kCodes ? code : 2)]->Increment();
  }

 private:
  static constexpr int kCodes = 17;
  std::array<metrics::Counter*, kCodes> calls_;
};

// Output formats that were refused, and answers that could not go on because of theirs, by the
// reason of the error.
class FormatRefusals {
 public:
  explicit FormatRefusals(metrics::Registry& registry);

  // An error without one of the reasons is no refusal, and does not count.
  void Count(const absl::Status& status);

 private:
  std::map<std::string, metrics::Counter*> by_reason_;
};

struct EdgeMetrics {
  explicit EdgeMetrics(metrics::Registry& registry);

  MethodMetrics generate;
  MethodMetrics tokenize;
  MethodMetrics detokenize;
  MethodMetrics score;
  MethodMetrics recognize;
  FormatRefusals format_refusals;
  metrics::Gauge& requests;
  metrics::Counter& refused;
  metrics::Gauge& ready;
};

}  // namespace terminus::services::decoder::edge
