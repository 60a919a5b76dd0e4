#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "models/sampling/host_device.h"
#include "models/sampling/philox.h"

// The arithmetic of a draw, the same bits on every device.
//
// A token's weight is its probability relative to the likeliest token's, as a whole number of
// 2^-44. Sums of weights are therefore exact, and equal in whatever order a device adds them up.
// Every decision compares such sums:
//   top-k   keeps the tokens whose logit is at least that of the k-th likeliest one;
//   top-p   keeps the likeliest tokens until their sum reaches ShareOf(top_p, sum of the kept);
//   min-p   keeps the tokens of at least LeastWeight(min_p);
//   a draw  takes the first kept token, by ascending id, at which the sum of the kept tokens up to
//           it exceeds DrawTarget(random bits, sum of the kept).
// Every operation on floating-point numbers is rounded by itself: files that include this header
// are compiled without contraction to fused multiply-adds.
namespace terminus::models::sampling {

inline constexpr int kWeightBits = 44;
inline constexpr uint64_t kFullWeight = uint64_t{1} << kWeightBits;

// Sums of the weights of this many tokens fit 63 bits.
inline constexpr int64_t kMaxVocabulary = int64_t{1} << 19;

// Occurrences in the answer beyond this do not add to the frequency penalty.
inline constexpr int kMaxCounted = (1 << 14) - 1;

template <class To, class From>
TERMINUS_HOST_DEVICE To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

TERMINUS_HOST_DEVICE float Times(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

TERMINUS_HOST_DEVICE double Times(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

TERMINUS_HOST_DEVICE float Plus(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

TERMINUS_HOST_DEVICE double Plus(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dadd_rn(a, b);
#else
  return a + b;
#endif
}

TERMINUS_HOST_DEVICE float DividedBy(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

inline constexpr uint32_t kNanKey = 0xFFFFFFFF;

// Orders as logits do: a greater logit has a greater key, equal ones (0 and -0) have equal keys.
// No key is 0; that of NaN is above all others.
TERMINUS_HOST_DEVICE uint32_t KeyOf(float logit) {
  const auto bits = BitCast<uint32_t>(Plus(logit, 0.0f));
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {
    return kNanKey;
  }
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000;
}

// Requires: key is of a logit that is not NaN.
TERMINUS_HOST_DEVICE float LogitOf(uint32_t key) {
  return BitCast<float>((key >> 31) != 0 ? key ^ 0x80000000 : ~key);
}

TERMINUS_HOST_DEVICE bool IsFinite(float logit) {
  return (BitCast<uint32_t>(logit) & 0x7F800000) != 0x7F800000;
}

// Returns log2(e) / temperature, the factor of Weight for differences of logits. Above 0.
TERMINUS_HOST_DEVICE double WeightScale(float temperature) {
  constexpr double kLog2E = 1.4426950408889634;
#ifdef __CUDA_ARCH__
  return __ddiv_rn(kLog2E, static_cast<double>(temperature));
#else
  return kLog2E / static_cast<double>(temperature);
#endif
}

// a · x + b
TERMINUS_HOST_DEVICE double Step(double a, double x, double b) { return Plus(Times(a, x), b); }

// e^z by its Taylor series, to 7e-15 for |z| <= ln(2) / 2. Even and odd powers are summed apart,
// which halves the chain of operations that wait for each other.
TERMINUS_HOST_DEVICE double Exponential(double z) {
  const double x = Times(z, z);
  double even = Step(1.0 / 3628800, x, 1.0 / 40320);
  double odd = Step(1.0 / 39916800, x, 1.0 / 362880);
  even = Step(even, x, 1.0 / 720);
  odd = Step(odd, x, 1.0 / 5040);
  even = Step(even, x, 1.0 / 24);
  odd = Step(odd, x, 1.0 / 120);
  even = Step(even, x, 1.0 / 2);
  odd = Step(odd, x, 1.0 / 6);
  even = Step(even, x, 1.0);
  odd = Step(odd, x, 1.0);
  return Step(odd, z, even);
}

// 2^44 · 2^((logit - largest) · scale), rounded to the nearest; 0 for a logit of minus infinity.
// Has no branches, so that compilers compute several at once.
// Requires: logit <= largest, which is finite.
TERMINUS_HOST_DEVICE uint64_t Weight(float logit, float largest, double scale) {
  constexpr double kLn2 = 0.6931471805599453;
  // Added to a number of less than 2^51, leaves its nearest whole one in the lowest bits.
  constexpr double kRound = 6755399441055744.0;
  constexpr double kRoundPositive = 4503599627370496.0;
  constexpr uint64_t kFractionBits = (uint64_t{1} << 52) - 1;
  const double exact =
      Times(Plus(static_cast<double>(logit), -static_cast<double>(largest)), scale);
  // From there on down, weights round to 0.
  const double exponent = exact > -(kWeightBits + 1.0) ? exact : -(kWeightBits + 2.0);
  const double rounded = Plus(exponent, kRound);
  const double whole = Plus(rounded, -kRound);
  const double power = Exponential(Times(Plus(exponent, -whole), kLn2));
  const uint64_t factor = (BitCast<uint64_t>(rounded) + 1023 + kWeightBits) << 52;
  return BitCast<uint64_t>(Plus(Times(power, BitCast<double>(factor)), kRoundPositive)) &
         kFractionBits;
}

// The least whole number that is not below share · total; 1 to total. Requires: total > 0.
TERMINUS_HOST_DEVICE uint64_t ShareOf(float share, uint64_t total) {
  // Below 2^63, as the total is.
  const double exact =
      Times(static_cast<double>(share), static_cast<double>(static_cast<int64_t>(total)));
  auto least = static_cast<uint64_t>(static_cast<int64_t>(exact));
  if (static_cast<double>(static_cast<int64_t>(least)) < exact) {
    ++least;
  }
  return least < 1 ? 1 : (least > total ? total : least);
}

TERMINUS_HOST_DEVICE uint64_t LeastWeight(float min_p) { return ShareOf(min_p, kFullWeight); }

// total · bits / 2^53, rounded down: below total. Requires: bits < 2^53.
TERMINUS_HOST_DEVICE uint64_t DrawTarget(uint64_t bits, uint64_t total) {
  const uint64_t fraction = bits << (64 - kUniformBits);
#ifdef __CUDA_ARCH__
  return __umul64hi(fraction, total);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(fraction) * total >> 64);
#endif
}

// The logarithm of the sum of e^logit, from the sum of the weights at temperature 1.
TERMINUS_HOST_DEVICE double LogOfSum(uint64_t sum, float largest) {
  return largest + log(static_cast<double>(static_cast<int64_t>(sum)) /
                       static_cast<double>(static_cast<int64_t>(kFullWeight)));
}

// The repetition penalty, for a token of prompt or answer.
TERMINUS_HOST_DEVICE float PenalizeRepetition(float logit, float penalty) {
  return logit < 0 ? Times(logit, penalty) : DividedBy(logit, penalty);
}

// Frequency and presence penalty, for a token that occurs `count` times in the answer, above 0.
TERMINUS_HOST_DEVICE float PenalizeCount(float logit, int count, float frequency, float presence) {
  const int counted = count < kMaxCounted ? count : kMaxCounted;
  return Plus(Plus(logit, -Times(frequency, static_cast<float>(counted))), -presence);
}

}  // namespace terminus::models::sampling
