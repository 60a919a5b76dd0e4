#include "models/kernels/panels/panel_gemm.h"

#include <cmath>
#include <random>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

std::vector<float> Random(size_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float& value : values) {
    value = uniform(engine);
  }
  return values;
}

// What bfloat16 makes of them.
std::vector<float> Rounded(std::vector<float> values) {
  for (float& value : values) {
    value = ToFloat(ToBFloat16(value));
  }
  return values;
}

std::vector<double> Product(const std::vector<float>& x, const std::vector<float>& weight,
                            int64_t rows, int64_t in, int64_t out) {
  std::vector<double> y(rows * out);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t k = 0; k < in; ++k) {
        y[r * out + o] += static_cast<double>(x[r * in + k]) * weight[o * in + k];
      }
    }
  }
  return y;
}

void ExpectNear(const std::vector<float>& y, const std::vector<double>& expected,
                double tolerance) {
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], tolerance) << "element " << i;
  }
}

class PanelGemmTest : public testing::TestWithParam<std::tuple<Isa, WeightType>> {
 protected:
  Isa isa() const { return std::get<0>(GetParam()); }
  WeightType type() const { return std::get<1>(GetParam()); }

  PanelWeight Pack(const std::vector<float>& weight, int64_t in, int64_t out) const {
    PanelWeight packed(isa(), type(), in, out, /*paired=*/false);
    // In two parts, the cut inside a panel.
    const int64_t cut = out / 3;
    packed.SetRows(absl::MakeConstSpan(weight).subspan(0, cut * in), 0);
    packed.SetRows(absl::MakeConstSpan(weight).subspan(cut * in), cut);
    return packed;
  }

  std::vector<float> Values(const std::vector<float>& values) const {
    return type() == WeightType::kBFloat16 ? Rounded(values) : values;
  }
};

TEST_P(PanelGemmTest, EqualsReference) {
  for (const auto& [rows, in, out] : std::vector<std::tuple<int, int, int>>{{1, 64, 64},
                                                                            {1, 7, 5},
                                                                            {2, 33, 100},
                                                                            {3, 576, 192},
                                                                            {4, 16, 17},
                                                                            {5, 40, 90},
                                                                            {6, 100, 48},
                                                                            {7, 64, 31},
                                                                            {8, 576, 160},
                                                                            {13, 31, 33},
                                                                            {300, 520, 70}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << in << " x " << out);
    const std::vector<float> x = Random(rows * in, 1);
    const std::vector<float> weight = Random(out * in, 2);
    const std::vector<float> bias = Random(out, 3);
    const PanelWeight packed = Pack(weight, in, out);
    std::vector<double> expected = Product(x, Values(weight), rows, in, out);
    std::vector<float> y(rows * out, 7);
    PanelGemmArgs args{.weight = &packed, .x = x.data(), .y = y.data(), .rows = rows};
    const int64_t middle = packed.panels() / 2;
    PanelGemm(args, 0, middle);
    PanelGemm(args, middle, packed.panels());
    ExpectNear(y, expected, 2e-5 * std::sqrt(in));

    args.bias = bias.data();
    args.accumulate = true;
    const std::vector<float> before = Random(rows * out, 4);
    y = before;
    PanelGemm(args, 0, packed.panels());
    for (size_t i = 0; i < y.size(); ++i) {
      expected[i] += before[i] + bias[i % out];
    }
    ExpectNear(y, expected, 2e-5 * std::sqrt(in));
  }
}

TEST_P(PanelGemmTest, PairIsSwiGlu) {
  for (const auto& [rows, in, out] :
       std::vector<std::tuple<int, int, int>>{{1, 64, 48}, {3, 40, 21}, {9, 576, 64}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << in << " x " << out);
    const std::vector<float> x = Random(rows * in, 1);
    const std::vector<float> gate = Random(out * in, 2);
    const std::vector<float> up = Random(out * in, 3);
    PanelWeight packed(isa(), type(), in, out, /*paired=*/true);
    packed.SetRows(gate, 0, 0);
    packed.SetRows(up, 0, 1);
    std::vector<double> expected = Product(x, Values(gate), rows, in, out);
    const std::vector<double> factor = Product(x, Values(up), rows, in, out);
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] *= factor[i] / (1 + std::exp(-expected[i]));
    }
    std::vector<float> y(rows * out, 7);
    PanelGemm({.weight = &packed, .x = x.data(), .y = y.data(), .rows = rows}, 0, packed.panels());
    ExpectNear(y, expected, 2e-4 * std::sqrt(in));

    // Zeros for inputs: the biases alone are left.
    const std::vector<float> zeros(rows * in);
    const std::vector<float> bias = Random(2 * out, 5);
    PanelGemm(
        {.weight = &packed, .x = zeros.data(), .bias = bias.data(), .y = y.data(), .rows = rows}, 0,
        packed.panels());
    for (size_t i = 0; i < y.size(); ++i) {
      const double b = bias[i % out];
      expected[i] = b / (1 + std::exp(-b)) * bias[out + i % out];
    }
    ExpectNear(y, expected, 1e-6);
  }
}

// A row's outputs are the same bits whatever rows are beside it, and whatever the weights' type if
// their values are.
TEST_P(PanelGemmTest, RowsDoNotDependOnTheirNumber) {
  constexpr int kRows = 17, kIn = 96, kOut = 80;
  const std::vector<float> x = Random(kRows * kIn, 1);
  const std::vector<float> weight = Rounded(Random(kOut * kIn, 2));
  const PanelWeight packed = Pack(weight, kIn, kOut);
  PanelWeight wide(isa(), WeightType::kFloat32, kIn, kOut, /*paired=*/false);
  wide.SetRows(weight, 0);
  std::vector<float> together(kRows * kOut);
  PanelGemm({.weight = &packed, .x = x.data(), .y = together.data(), .rows = kRows}, 0,
            packed.panels());
  for (int row = 0; row < kRows; ++row) {
    std::vector<float> alone(kOut);
    PanelGemm({.weight = &wide, .x = x.data() + row * kIn, .y = alone.data(), .rows = 1}, 0,
              wide.panels());
    const auto begin = together.begin() + row * kOut;
    EXPECT_EQ(std::vector<float>(begin, begin + kOut), alone) << "row " << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, PanelGemmTest,
                         testing::Combine(testing::ValuesIn(SupportedIsas()),
                                          testing::Values(WeightType::kFloat32,
                                                          WeightType::kBFloat16)));

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(ToBFloat16(1.0f).bits, 0x3f80);
  EXPECT_EQ(ToBFloat16(std::bit_cast<float>(0x3f808000u)).bits, 0x3f80);
  EXPECT_EQ(ToBFloat16(std::bit_cast<float>(0x3f818000u)).bits, 0x3f82);
  EXPECT_EQ(ToBFloat16(std::bit_cast<float>(0x3f808001u)).bits, 0x3f81);
  EXPECT_TRUE(std::isnan(ToFloat(ToBFloat16(std::nanf("")))));
  EXPECT_EQ(ToFloat(ToBFloat16(INFINITY)), INFINITY);
}

}  // namespace
}  // namespace terminus::models::kernels
