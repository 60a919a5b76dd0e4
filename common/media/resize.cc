#include "common/media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numeric>

#include "common/base/check.h"

// Compiled for AVX2 too, where there is such a thing, and chosen when the program starts.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TERMINUS_FASTEST __attribute__((target_clones("avx2", "default")))
#else
#define TERMINUS_FASTEST
#endif

namespace terminus::media {
namespace {

constexpr int kChannels = 3;
// Of the fixed-point weights: 8 bits are the pixel's, 2 are room for the sum to overshoot.
constexpr int kPrecisionBits = 32 - 8 - 2;

double Box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double Triangle(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// A sinc under a Hamming window of half the usual width.
double Hamming(double x) {
  x = std::fabs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= M_PI;
  // Single precision, as Pillow has the two.
  return std::sin(x) / x * (0.54f + 0.46f * std::cos(x));
}

// Keys' cubic convolution with a = -0.5.
double Cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= M_PI;
  return std::sin(x) / x;
}

double Lanczos3(double x) { return x >= -3.0 && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0; }

struct Kernel {
  double (*function)(double);
  double support;
};

Kernel KernelOf(Filter filter) {
  switch (filter) {
    case Filter::kNearest:  // takes one pixel and has no kernel
      break;
    case Filter::kBox:
      return {Box, 0.5};
    case Filter::kHamming:
      return {Hamming, 1.0};
    case Filter::kBilinear:
      return {Triangle, 1.0};
    case Filter::kBicubic:
      return {Cubic, 2.0};
    case Filter::kLanczos:
      return {Lanczos3, 3.0};
  }
  return {Triangle, 1.0};
}

// How the outputs [begin, begin + count) of one axis mix its inputs.
class Weights {
 public:
  Weights(int in_size, int out_size, int begin, int count, const Kernel& kernel);

  int size() const { return static_cast<int>(first_.size()); }
  // Inputs [first, first + taps) count for output i of the window.
  int first(int i) const { return first_[i]; }
  int taps(int i) const { return taps_[i]; }
  const int32_t* weights(int i) const { return &weights_[static_cast<size_t>(i) * stride_]; }

  // The inputs that count at all.
  int begin() const { return first_.front(); }
  int end() const { return first_.back() + taps_.back(); }

 private:
  void SetIdentity(int begin);
  void SetOutput(int i, double center, double support, int in_size, double step,
                 const Kernel& kernel);

  int stride_ = 1;
  std::vector<int> first_;
  std::vector<int> taps_;
  std::vector<int32_t> weights_;
};

Weights::Weights(int in_size, int out_size, int begin, int count, const Kernel& kernel)
    : first_(count), taps_(count) {
  if (in_size == out_size) {
    SetIdentity(begin);
    return;
  }
  const double scale = static_cast<double>(in_size) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
  stride_ = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights_.resize(static_cast<size_t>(count) * stride_);
  for (int i = 0; i < count; ++i) {
    SetOutput(i, (begin + i + 0.5) * scale, support, in_size, 1.0 / filter_scale, kernel);
  }
}

// An axis that keeps its size is copied, also by filters that are not 0 at whole pixels.
void Weights::SetIdentity(int begin) {
  std::iota(first_.begin(), first_.end(), begin);
  std::fill(taps_.begin(), taps_.end(), 1);
  weights_.assign(first_.size(), 1 << kPrecisionBits);
}

void Weights::SetOutput(int i, double center, double support, int in_size, double step,
                        const Kernel& kernel) {
  const int first = std::max(static_cast<int>(center - support + 0.5), 0);
  const int taps = std::min(static_cast<int>(center + support + 0.5), in_size) - first;
  std::vector<double> exact(taps);
  double sum = 0.0;
  for (int k = 0; k < taps; ++k) {
    exact[k] = kernel.function((k + first - center + 0.5) * step);
    sum += exact[k];
  }
  int32_t* const weights = &weights_[static_cast<size_t>(i) * stride_];
  for (int k = 0; k < taps; ++k) {
    if (sum != 0.0) exact[k] /= sum;
    const double fixed = exact[k] * (1 << kPrecisionBits);
    weights[k] = static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
  }
  first_[i] = first;
  taps_[i] = taps;
}

uint8_t Narrow(int32_t fixed) {
  return static_cast<uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

// Rows of pixels somewhere in a picture: its columns from `x` on and its rows from `y` on.
struct Part {
  const uint8_t* pixels;
  size_t stride;
  int x;
  int y;
  int columns;
  int rows;
};

// Three channels and one that does not matter, at once.
using Lanes = int32_t __attribute__((vector_size(16)));

inline Lanes LoadLanes(const int32_t* at) {
  Lanes lanes;
  std::memcpy(&lanes, at, sizeof(lanes));
  return lanes;
}

TERMINUS_FASTEST void WidenRow(const uint8_t* in, int32_t* out, size_t count) {
  for (size_t x = 0; x < count; ++x) out[x] = in[x];
}

// `in` has one readable element behind its last pixel.
TERMINUS_FASTEST void FilterRow(const int32_t* in, int x, const Weights& weights, uint8_t* out) {
  for (int i = 0; i < weights.size(); ++i, out += kChannels) {
    const int32_t* pixel = in + static_cast<size_t>(weights.first(i) - x) * kChannels;
    const int32_t* weight = weights.weights(i);
    const int taps = weights.taps(i);
    // Two sums, since one would wait for itself.
    Lanes even = {kHalf, kHalf, kHalf, kHalf};
    Lanes odd = {};
    int k = 0;
    for (; k + 1 < taps; k += 2) {
      even += LoadLanes(pixel + k * kChannels) * weight[k];
      odd += LoadLanes(pixel + (k + 1) * kChannels) * weight[k + 1];
    }
    if (k < taps) even += LoadLanes(pixel + k * kChannels) * weight[k];
    even += odd;
    for (int c = 0; c < kChannels; ++c) out[c] = Narrow(even[c]);
  }
}

TERMINUS_FASTEST void AddRow(const uint8_t* in, int32_t weight, int32_t* sums, size_t count) {
  for (size_t x = 0; x < count; ++x) sums[x] += in[x] * weight;
}

TERMINUS_FASTEST void NarrowRow(const int32_t* sums, uint8_t* out, size_t count) {
  for (size_t x = 0; x < count; ++x) out[x] = Narrow(sums[x]);
}

// Every row of the part, filtered.
std::vector<uint8_t> FilterRows(const Part& in, const Weights& weights) {
  const size_t stride = static_cast<size_t>(weights.size()) * kChannels;
  std::vector<uint8_t> out(in.rows * stride);
  const size_t used = static_cast<size_t>(in.columns) * kChannels;
  std::vector<int32_t> wide(used + 1);
  for (int y = 0; y < in.rows; ++y) {
    WidenRow(in.pixels + y * in.stride, wide.data(), used);
    FilterRow(wide.data(), in.x, weights, &out[y * stride]);
  }
  return out;
}

// Every column of the part, filtered.
std::vector<uint8_t> FilterColumns(const Part& in, const Weights& weights) {
  const size_t stride = static_cast<size_t>(in.columns) * kChannels;
  std::vector<uint8_t> out(weights.size() * stride);
  std::vector<int32_t> sums(stride);
  for (int y = 0; y < weights.size(); ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const int32_t* weight = weights.weights(y);
    for (int k = 0; k < weights.taps(y); ++k) {
      const uint8_t* row = in.pixels + (weights.first(y) - in.y + k) * in.stride;
      AddRow(row, weight[k], sums.data(), stride);
    }
    NarrowRow(sums.data(), &out[y * stride], stride);
  }
  return out;
}

// Which pass is first decides how the intermediate picture is rounded. Pillow before 13 always
// began with the rows.
bool ColumnsFirst(const Image& image, int width, int height) {
  const int64_t fewer_rows = static_cast<int64_t>(image.height) - height;
  const int64_t fewer_columns = static_cast<int64_t>(image.width) - width;
  return fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
}

// The input that each output of the window is nearest to, along one axis. Summed up, since that is
// how Pillow's positions come to be on this or that side of a pixel's edge.
std::vector<size_t> NearestInputs(int in_size, int out_size, int begin, int count) {
  const double scale = static_cast<double>(in_size) / out_size;
  std::vector<size_t> inputs;
  double position = scale * 0.5;
  for (int i = 0; i < begin + count; ++i, position += scale) {
    if (i >= begin) inputs.push_back(std::min(static_cast<size_t>(position), in_size - size_t{1}));
  }
  return inputs;
}

Image ResizeNearest(const Image& image, int width, int height, const Window& window) {
  const std::vector<size_t> columns = NearestInputs(image.width, width, window.x, window.width);
  const std::vector<size_t> rows = NearestInputs(image.height, height, window.y, window.height);
  Image out{.width = window.width, .height = window.height, .rgb = {}};
  out.rgb.reserve(rows.size() * columns.size() * kChannels);
  for (const size_t y : rows) {
    const uint8_t* const row = &image.rgb[y * image.width * kChannels];
    for (const size_t x : columns) {
      out.rgb.insert(out.rgb.end(), row + x * kChannels, row + (x + 1) * kChannels);
    }
  }
  return out;
}

}  // namespace

Image Resize(const Image& image, int width, int height, Filter filter, const Window& window) {
  TERMINUS_CHECK(image.width > 0 && image.height > 0 && window.width > 0 && window.height > 0);
  TERMINUS_CHECK(window.x >= 0 && window.x <= width - window.width);
  TERMINUS_CHECK(window.y >= 0 && window.y <= height - window.height);
  if (filter == Filter::kNearest) return ResizeNearest(image, width, height, window);
  const Kernel kernel = KernelOf(filter);
  const Weights across(image.width, width, window.x, window.width, kernel);
  const Weights down(image.height, height, window.y, window.height, kernel);

  const size_t stride = static_cast<size_t>(image.width) * kChannels;
  Part part{.pixels = &image.rgb[down.begin() * stride + across.begin() * kChannels],
            .stride = stride,
            .x = across.begin(),
            .y = down.begin(),
            .columns = across.end() - across.begin(),
            .rows = down.end() - down.begin()};
  Image out{.width = window.width, .height = window.height, .rgb = {}};
  std::vector<uint8_t> half;
  if (ColumnsFirst(image, width, height)) {
    half = FilterColumns(part, down);
    part.stride = static_cast<size_t>(part.columns) * kChannels;
    part.rows = window.height;
    part.pixels = half.data();
    out.rgb = FilterRows(part, across);
  } else {
    half = FilterRows(part, across);
    part.stride = static_cast<size_t>(window.width) * kChannels;
    part.columns = window.width;
    part.pixels = half.data();
    out.rgb = FilterColumns(part, down);
  }
  return out;
}

Image Resize(const Image& image, int width, int height, Filter filter) {
  return Resize(image, width, height, filter, {.width = width, .height = height});
}

Window CenterWindow(int image_width, int image_height, int width, int height, bool round) {
  const auto start = [round](int margin) {
    const int half = margin / 2;
    return round && margin % 2 != 0 && half % 2 != 0 ? half + 1 : half;
  };
  return {.x = start(image_width - width),
          .y = start(image_height - height),
          .width = width,
          .height = height};
}

}  // namespace terminus::media
