#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace terminus::tools::loadgen {

// Latencies in buckets whose width grows with the value: bounded memory however long a run lasts,
// and quantiles at most 1/128 off. Not thread-safe.
class Histogram {
 public:
  Histogram();

  // Negative counts as 0; past an hour counts as an hour.
  void Add(absl::Duration value);

  int64_t count() const { return count_; }
  absl::Duration max() const { return absl::Nanoseconds(max_ns_); }
  absl::Duration mean() const;

  // The smallest recorded value that at least `quantile` of all are not above, `quantile` in
  // [0, 1]. Zero when nothing was added.
  absl::Duration Quantile(double quantile) const;

 private:
  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  int64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace terminus::tools::loadgen
