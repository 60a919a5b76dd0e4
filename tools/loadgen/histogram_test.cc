#include "tools/loadgen/histogram.h"

#include <algorithm>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::loadgen {
namespace {

TEST(HistogramTest, EmptyIsZero) {
  Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
  EXPECT_EQ(histogram.mean(), absl::ZeroDuration());
  EXPECT_EQ(histogram.count(), 0);
}

TEST(HistogramTest, QuantilesAreCloseToTheSortedSample) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> latency(13.0, 2.0);  // nanoseconds, median 0.4 ms
  Histogram histogram;
  std::vector<double> sample;
  for (int i = 0; i < 20'000; ++i) {
    sample.push_back(latency(random));
    histogram.Add(absl::Nanoseconds(sample.back()));
  }
  std::sort(sample.begin(), sample.end());
  for (double quantile : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = sample[static_cast<size_t>(quantile * sample.size()) - 1];
    const double got = absl::ToDoubleNanoseconds(histogram.Quantile(quantile));
    EXPECT_NEAR(got / exact, 1.0, 1.0 / 100) << quantile;
  }
  EXPECT_EQ(histogram.Quantile(1.0), histogram.max());
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) {
    histogram.Add(absl::Nanoseconds(i));
  }
  EXPECT_EQ(histogram.Quantile(0.5), absl::Nanoseconds(50));
  EXPECT_EQ(histogram.Quantile(0.99), absl::Nanoseconds(99));
  EXPECT_EQ(histogram.mean(), absl::Nanoseconds(50.5));
}

TEST(HistogramTest, OutOfRangeIsClamped) {
  Histogram histogram;
  histogram.Add(absl::Seconds(-1));
  histogram.Add(absl::InfiniteDuration());
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
  EXPECT_EQ(histogram.max(), absl::Hours(1));
}

}  // namespace
}  // namespace terminus::tools::loadgen
