#include "models/kernels/convolution/row_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

// Some 0 to 6, some outside, so that clamping shows.
std::vector<float> Random(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.5f, 1.5f);
  std::vector<float> values(count);
  std::generate(values.begin(), values.end(), [&] { return uniform(generator); });
  return values;
}

class RowKernelsTest : public testing::TestWithParam<const RowKernels*> {};

struct ProductCase {
  int64_t pixels, runs, run_length, run_pitch, x_stride, lacking;  // Columns of the last vector.
};

// One product of every kind beside sums in double precision, and nothing written besides.
void CheckProduct(const RowKernels& kernels, const ProductCase& c, int vectors, const Range& range,
                  bool bias, bool start) {
  const int64_t width = vectors * kernels.width;
  const int64_t columns = width - c.lacking;
  const int64_t depth = c.runs * c.run_length;
  const int64_t y_stride = columns + 3;
  const auto x = Random(c.pixels * c.x_stride + c.runs * c.run_pitch + c.run_length, 1);
  const auto weight = Random(depth * width, 2);
  const auto biases = Random(width, 3);
  const auto starts = Random(c.pixels * y_stride, 4);
  constexpr float kUntouched = 77;
  std::vector<float> y(c.pixels * y_stride, kUntouched);
  kernels.ProductFor(vectors)({.x = x.data(),
                               .x_stride = c.x_stride,
                               .runs = c.runs,
                               .run_length = c.run_length,
                               .run_pitch = c.run_pitch,
                               .weight = weight.data(),
                               .bias = bias ? biases.data() : nullptr,
                               .start = start ? starts.data() : nullptr,
                               .start_stride = y_stride,
                               .y = y.data(),
                               .y_stride = y_stride,
                               .pixels = c.pixels,
                               .columns = columns,
                               .range = range});
  for (int64_t p = 0; p < c.pixels; ++p) {
    for (int64_t o = 0; o < y_stride; ++o) {
      double sum =
          (bias ? biases[std::min(o, width - 1)] : 0) + (start ? starts[p * y_stride + o] : 0);
      for (int64_t k = 0; k < depth; ++k) {
        sum += static_cast<double>(
                   x[p * c.x_stride + k / c.run_length * c.run_pitch + k % c.run_length]) *
               weight[k * width + std::min(o, width - 1)];
      }
      sum = std::clamp<double>(sum, range.low, range.high);
      ASSERT_NEAR(y[p * y_stride + o], o < columns ? sum : kUntouched, 1e-4)
          << kernels.name << ", pixel " << p << ", channel " << o;
    }
  }
}

TEST_P(RowKernelsTest, ProductsEqualReference) {
  for (const int64_t pixels : {0, 1, 2, 3, 5, 7, 9, 14, 23}) {
    for (int vectors = 1; vectors <= RowKernels::kMaxVectors; ++vectors) {
      for (int variant = 0; variant < 12; ++variant) {
        const bool bias = variant & 1;
        const bool start = variant & 2;
        const Range range = std::array{Range{}, kRelu, kRelu6}[variant / 4];
        // Plain; three overlapping runs, as the stem's; a last vector that is not whole.
        CheckProduct(*GetParam(), {pixels, 1, 17, 0, 17, 0}, vectors, range, bias, start);
        CheckProduct(*GetParam(), {pixels, 3, 9, 40, 6, 0}, vectors, range, bias, start);
        CheckProduct(*GetParam(), {pixels, 1, 8, 0, 11, 5}, vectors, range, bias, start);
      }
    }
  }
}

TEST_P(RowKernelsTest, DepthwiseRowsEqualReference) {
  const RowKernels& kernels = *GetParam();
  for (const int kernel : {3, 5}) {
    for (const int stride : {1, 2}) {
      for (const int64_t out_width : {1, 2, 3, 4, 6, 7, 9}) {
        for (int vectors = 1; vectors <= RowKernels::kMaxVectors; ++vectors) {
          const int64_t width = vectors * kernels.width;
          const int64_t in_width = (out_width - 1) * stride + kernel;
          const auto in = Random(kernel * in_width * width, 1);
          const auto weight = Random(kernel * kernel * width, 2);
          const auto bias = Random(width, 3);
          std::vector<float> out(out_width * (width + 2));
          DepthwiseRow row{.first = 1,
                           .last = kernel - (out_width % 2 == 0 ? 1 : 0),
                           .weight = weight.data(),
                           .bias = bias.data(),
                           .out = out.data(),
                           .out_stride = width + 2,
                           .out_width = out_width,
                           .vectors = vectors};
          for (int i = row.first; i < row.last; ++i) {
            row.rows[i] = in.data() + i * in_width * width;
          }
          kernels.DepthwiseFor(kernel, stride)(row);
          for (int64_t x = 0; x < out_width; ++x) {
            for (int64_t c = 0; c < width; ++c) {
              double sum = bias[c];
              for (int i = row.first; i < row.last; ++i) {
                for (int j = 0; j < kernel; ++j) {
                  sum += static_cast<double>(weight[(i * kernel + j) * width + c]) *
                         in[(i * in_width + x * stride + j) * width + c];
                }
              }
              ASSERT_NEAR(out[x * (width + 2) + c], std::clamp(sum, 0.0, 6.0), 1e-4)
                  << kernels.name << ", kernel " << kernel << ", stride " << stride << ", " << x;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, RowKernelsTest, testing::ValuesIn(SupportedRowKernels()));

}  // namespace
}  // namespace terminus::models::kernels
