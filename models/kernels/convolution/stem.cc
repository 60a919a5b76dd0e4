#include "models/kernels/convolution/stem.h"

#include <algorithm>

namespace terminus::models::kernels {
namespace {

constexpr int kColours = 3;

// [out, colour, row, column] → [out, row, column, colour]: as the colours of a line lie together.
PackedPanels Pack(const float* weight, const float* bias, int64_t out, const RowKernels& kernels) {
  constexpr int kTaps = Stem::kKernel * Stem::kKernel;
  std::vector<float> turned(out * kTaps * kColours);
  for (int64_t o = 0; o < out; ++o) {
    for (int c = 0; c < kColours; ++c) {
      for (int t = 0; t < kTaps; ++t) {
        turned[(o * kTaps + t) * kColours + c] = weight[(o * kColours + c) * kTaps + t];
      }
    }
  }
  return PackedPanels(turned.data(), bias, kTaps * kColours, out, kernels);
}

// Lines and pixels that some output's taps reach, or that are there.
int64_t PaddedHeight(const Geometry& g) {
  return std::max((g.out_height - 1) * Stem::kStride + Stem::kKernel, g.pad_top + g.in_height);
}
int64_t PaddedWidth(const Geometry& g) {
  return std::max((g.out_width - 1) * Stem::kStride + Stem::kKernel, g.pad_left + g.in_width);
}

}  // namespace

Stem::Stem(const float* weight, const float* bias, int64_t out, const PixelTransform& transform,
           const RowKernels& kernels)
    : transform_(transform), kernels_(kernels), packed_(Pack(weight, bias, out, kernels)) {}

int64_t Stem::ScratchFloats(const Geometry& geometry) {
  return PaddedHeight(geometry) * PaddedWidth(geometry) * kColours;
}

Stem::Image::Image(const Stem& stem, const Geometry& geometry, const uint8_t* pixels,
                   float* scratch)
    : stem_(stem),
      geometry_(geometry),
      pixels_(pixels),
      lines_(scratch),
      pitch_(PaddedWidth(geometry) * kColours) {}

// `line` counts from the first line of padding.
void Stem::Image::Normalize(int64_t line) {
  const Geometry& g = geometry_;
  float* to = lines_ + line * pitch_;
  const int64_t y = line - g.pad_top;
  if (y < 0 || y >= g.in_height) {
    std::fill_n(to, pitch_, 0.0f);
    return;
  }
  const int64_t begin = g.pad_left * kColours;
  const int64_t end = begin + g.in_width * kColours;
  std::fill_n(to, begin, 0.0f);
  NormalizePixels(pixels_ + y * g.in_width * kColours, g.in_width, stem_.transform_, to + begin);
  std::fill_n(to + end, pitch_ - end, 0.0f);
}

void Stem::Image::Row(int64_t y, int64_t panel, float* row) {
  next_ = next_ < 0 ? y * kStride : next_;
  for (; next_ < y * kStride + kKernel; ++next_) {
    Normalize(next_);
  }
  const Panel& shape = stem_.panels()[panel];
  const PanelProduct product{.x = lines_ + y * kStride * pitch_,
                             .x_stride = kStride * kColours,
                             .runs = kKernel,
                             .run_length = kKernel * kColours,
                             .run_pitch = pitch_,
                             .weight = stem_.packed_.weight(panel),
                             .bias = stem_.packed_.bias(panel),
                             .y = row,
                             .y_stride = shape.width,
                             .pixels = geometry_.out_width,
                             .columns = shape.width,
                             .range = kRelu6};
  stem_.kernels_.ProductFor(shape.vectors)(product);
}

}  // namespace terminus::models::kernels
