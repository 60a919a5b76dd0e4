#include "models/sampling/philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

namespace terminus::models::sampling {
namespace {

using testing::ElementsAre;

// The known answers that the authors publish with the method.
TEST(Philox, KnownAnswers) {
  EXPECT_THAT(Philox({{0, 0, 0, 0}}, 0, 0).words,
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(
      Philox({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff).words,
      ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(
      Philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0).words,
      ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Philox, UniformIsInRangeAndEvenlySpread) {
  constexpr int kDraws = 100'000;
  constexpr int kBins = 100;
  std::array<int, kBins> bins{};
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t bits = UniformBits(7, 0, static_cast<uint64_t>(i));
    ASSERT_LT(bits, uint64_t{1} << kUniformBits);
    ++bins[bits * kBins >> kUniformBits];
  }
  double chi_square = 0;
  for (const int count : bins) {
    const double expected = double{kDraws} / kBins;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  // 99 degrees of freedom: 149 is passed by chance once in a thousand, and the draws are fixed.
  EXPECT_LT(chi_square, 149);
}

TEST(Philox, EveryArgumentCounts) {
  std::set<uint64_t> draws;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
    for (const uint32_t choice : {0u, 1u}) {
      for (const uint64_t position : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 33}) {
        draws.insert(UniformBits(seed, choice, position));
      }
    }
  }
  EXPECT_EQ(draws.size(), 18u);
}

}  // namespace
}  // namespace terminus::models::sampling
