#include "tools/loadgen/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace terminus::tools::loadgen {
namespace {

// Values below 2^7 have a bucket each; above, each power of two is split into 2^7 buckets.
constexpr int kSubBits = 7;
constexpr int64_t kMaxNs = 3'600'000'000'000;

size_t BucketOf(uint64_t ns) {
  const int width = std::bit_width(ns);
  if (width <= kSubBits + 1) {
    return ns;
  }
  const int shift = width - kSubBits - 1;
  return (static_cast<size_t>(shift) << kSubBits) + (ns >> shift);
}

// The largest value that falls into the bucket.
uint64_t UpperBound(size_t bucket) {
  if (bucket < (2u << kSubBits)) {
    return bucket;
  }
  const size_t shift = (bucket >> kSubBits) - 1;
  const uint64_t top = bucket - (shift << kSubBits);
  return ((top + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(BucketOf(kMaxNs) + 1) {}

void Histogram::Add(absl::Duration value) {
  const int64_t ns = std::clamp<int64_t>(absl::ToInt64Nanoseconds(value), 0, kMaxNs);
  ++buckets_[BucketOf(static_cast<uint64_t>(ns))];
  ++count_;
  sum_ns_ += static_cast<double>(ns);
  max_ns_ = std::max(max_ns_, ns);
}

absl::Duration Histogram::mean() const {
  return count_ == 0 ? absl::ZeroDuration() : absl::Nanoseconds(sum_ns_ / count_);
}

absl::Duration Histogram::Quantile(double quantile) const {
  if (count_ == 0) {
    return absl::ZeroDuration();
  }
  const double wanted = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_));
  const int64_t rank = std::max<int64_t>(1, static_cast<int64_t>(wanted));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) {
      return absl::Nanoseconds(
          std::min<int64_t>(max_ns_, static_cast<int64_t>(UpperBound(bucket))));
    }
  }
  return max();
}

}  // namespace terminus::tools::loadgen
