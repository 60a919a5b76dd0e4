#include "models/sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "models/sampling/arithmetic.h"

namespace terminus::models::sampling {
namespace {

using ::testing::HasSubstr;

// The slow, plain way: everything sorted, probabilities written out. By ascending id.
struct Candidate {
  int32_t token;
  double probability;
};

std::vector<Candidate> Distribution(const std::vector<float>& logits, const Parameters& p) {
  std::vector<Candidate> all;
  const double largest = *std::max_element(logits.begin(), logits.end());
  for (size_t i = 0; i < logits.size(); ++i) {
    all.push_back({static_cast<int32_t>(i), std::exp((logits[i] - largest) / p.temperature)});
  }
  std::stable_sort(all.begin(), all.end(), [&](const Candidate& a, const Candidate& b) {
    return logits[static_cast<size_t>(a.token)] > logits[static_cast<size_t>(b.token)];
  });
  if (p.top_k > 0 && p.top_k < all.size()) {
    all.resize(p.top_k);
  }
  const auto normalize = [&all] {
    double sum = 0;
    for (const Candidate& c : all) sum += c.probability;
    for (Candidate& c : all) c.probability /= sum;
  };
  normalize();
  size_t kept = 0;
  for (double sum = 0; kept < all.size() && (kept == 0 || sum < p.top_p); ++kept) {
    sum += all[kept].probability;
  }
  all.resize(kept);
  normalize();
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
  return all;
}

int32_t TokenOf(const std::vector<float>& logits, const Parameters& p, uint64_t position) {
  const auto sampled = Sample(logits, p, position);
  EXPECT_TRUE(sampled.ok()) << sampled.status();
  return sampled.ok() ? sampled->chosen.token : -1;
}

std::vector<float> RandomLogits(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(size);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

TEST(Sampler, GreedyTakesTheLargestAndTheFirstOfEquals) {
  EXPECT_EQ(TokenOf({1, 3, 2}, {.temperature = 0}, 0), 1);
  EXPECT_EQ(TokenOf({1, 3, 3}, {.temperature = 0}, 9), 1);
  EXPECT_EQ(TokenOf({-5}, {.temperature = 0}, 0), 0);
}

TEST(Sampler, SameAsThePlainWayWithTopKOrTopP) {
  for (uint32_t round = 0; round < 50; ++round) {
    const std::vector<float> logits = RandomLogits(200, round);
    for (const Parameters& p :
         {Parameters{.top_k = 5, .seed = round}, Parameters{.top_p = 0.8f, .seed = round},
          Parameters{.temperature = 0.3f, .top_k = 40, .top_p = 0.95f},
          Parameters{.temperature = 3, .top_k = 1000, .top_p = 0.5f}, Parameters{.top_p = 1e-9f}}) {
      const std::vector<Candidate> expected = Distribution(logits, p);
      const double u = std::ldexp(UniformBits(p.seed, p.choice, round), -kUniformBits);
      double sum = 0;
      size_t i = 0;
      while (i + 1 < expected.size() && u >= (sum += expected[i].probability)) ++i;
      EXPECT_EQ(TokenOf(logits, p, round), expected[i].token) << round << " " << p.top_k;
    }
  }
}

// Draws many times at different positions and compares the counts with the probabilities.
void ExpectDistribution(const std::vector<float>& logits, const Parameters& p) {
  constexpr int kDraws = 40'000;
  std::map<int32_t, int> counts;
  for (int i = 0; i < kDraws; ++i) {
    ++counts[TokenOf(logits, p, static_cast<uint64_t>(i))];
  }
  const std::vector<Candidate> expected = Distribution(logits, p);
  double chi_square = 0;
  for (const Candidate& candidate : expected) {
    const double mean = candidate.probability * kDraws;
    const int count = counts[candidate.token];
    counts.erase(candidate.token);
    chi_square += (count - mean) * (count - mean) / mean;
  }
  EXPECT_TRUE(counts.empty()) << "tokens that should have been left out";
  const double freedom = static_cast<double>(expected.size()) - 1;
  // Mean plus four standard deviations; the draws are fixed, so this never flickers.
  EXPECT_LT(chi_square, freedom + 4 * std::sqrt(2 * freedom) + 1) << expected.size();
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> logits = {0, 1, 2, 0.5f, -1, 2, 1.5f, -0.5f};
  ExpectDistribution(logits, {.seed = 1});
  ExpectDistribution(logits, {.temperature = 2, .seed = 2, .choice = 3});
  ExpectDistribution(logits, {.temperature = 0.5f, .seed = 3});
  ExpectDistribution(logits, {.top_k = 3, .seed = 4});
  ExpectDistribution(logits, {.top_p = 0.7f, .seed = 5});
  ExpectDistribution(logits, {.temperature = 1.5f, .top_k = 6, .top_p = 0.9f, .seed = 6});
}

TEST(Sampler, ChoicesAndSeedsDrawOnTheirOwn) {
  const std::vector<float> flat(1000, 0.0f);
  std::map<int32_t, int> seen;
  for (uint32_t choice = 0; choice < 8; ++choice) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      ++seen[TokenOf(flat, {.seed = seed, .choice = choice}, 3)];
    }
  }
  EXPECT_GT(seen.size(), 55u);
  EXPECT_EQ(TokenOf(flat, {.seed = 5}, 3), TokenOf(flat, {.seed = 5}, 3));
}

TEST(Sampler, ExtremeTemperaturesAreSafe) {
  EXPECT_EQ(TokenOf({1, 3, 2}, {.temperature = std::numeric_limits<float>::denorm_min()}, 0), 1);
  const std::vector<float> wide = {3e38f, -3e38f, 0};
  EXPECT_EQ(TokenOf(wide, {.temperature = 10}, 0), 0);
  EXPECT_EQ(TokenOf(wide, {.temperature = 10, .top_p = 0.5f}, 0), 0);
}

TEST(Sampler, LogprobsAreTheModelsOwn) {
  const std::vector<float> logits = {std::log(1.0f), std::log(2.0f), std::log(5.0f),
                                     std::log(2.0f)};
  const auto sampled = Sample(logits, {.temperature = 0, .top_logprobs = 3}, 0);
  ASSERT_TRUE(sampled.ok());
  EXPECT_EQ(sampled->chosen.token, 2);
  EXPECT_NEAR(sampled->chosen.logprob, std::log(0.5), 1e-6);
  ASSERT_EQ(sampled->top.size(), 3u);
  EXPECT_EQ(sampled->top[0].token, 2);
  EXPECT_EQ(sampled->top[1].token, 1);
  EXPECT_EQ(sampled->top[2].token, 3);
  EXPECT_NEAR(sampled->top[1].logprob, std::log(0.2), 1e-6);
  EXPECT_EQ(Sample(logits, {.top_logprobs = 20}, 0)->top.size(), 4u);
  EXPECT_TRUE(Sample(logits, {.top_logprobs = 0}, 0)->top.empty());
  EXPECT_LT(Sample(logits, {.top_logprobs = 0}, 0)->chosen.logprob, 0);
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnError) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), kInf, -kInf}) {
    for (const float temperature : {0.0f, 1.0f}) {
      const auto sampled = Sample({0.0f, bad, 1.0f}, {.temperature = temperature}, 0);
      EXPECT_EQ(sampled.status().code(), absl::StatusCode::kInternal);
      EXPECT_THAT(std::string(sampled.status().message()), HasSubstr("token 1"));
    }
  }
  EXPECT_FALSE(Sample({}, {}, 0).ok());
}

TEST(Sampler, GreedyLooksAtEveryBlockOfALongRow) {
  constexpr size_t kTokens = 5000;
  for (const size_t at : {size_t{0}, size_t{1023}, size_t{1024}, size_t{4095}, kTokens - 1}) {
    std::vector<float> logits(kTokens, -2);
    logits[at] = -1;
    EXPECT_EQ(TokenOf(logits, {.temperature = 0}, 0), static_cast<int32_t>(at));
    // Zeros are equal, whatever their sign.
    logits.assign(kTokens, 0.0f);
    std::fill(logits.begin(), logits.begin() + static_cast<int64_t>(at), -1.0f);
    logits[at] = -0.0f;
    EXPECT_EQ(TokenOf(logits, {.temperature = 0}, 0), static_cast<int32_t>(at));
  }
}

TEST(Sampler, MinPKeepsAShareOfTheLikeliest) {
  const std::vector<float> logits = {0, std::log(0.5f) + 1e-6f, std::log(0.49f)};
  std::map<int32_t, int> counts;
  for (uint64_t position = 0; position < 1000; ++position) {
    ++counts[TokenOf(logits, {.min_p = 0.5f}, position)];
  }
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[1], 333, 60);
}

TEST(Sampler, TheMaskDecidesWhatIsLeft) {
  const std::vector<float> logits(40, 0.0f);
  const uint32_t second_word[] = {0, 0x11};
  std::map<int32_t, int> counts;
  for (uint64_t position = 0; position < 200; ++position) {
    const auto sampled = Sample(logits, {}, position, {}, {}, second_word);
    ASSERT_TRUE(sampled.ok()) << sampled.status();
    ++counts[sampled->chosen.token];
  }
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts[32] + counts[36], 200);
  EXPECT_EQ(Sample(logits, {.temperature = 0}, 0, {}, {}, second_word)->chosen.token, 32);
  const uint32_t nothing[] = {0, 0};
  EXPECT_EQ(Sample(logits, {}, 0, {}, {}, nothing).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Logprobs stay the model's own, whatever the mask says.
TEST(Sampler, TheMaskDoesNotChangeLogprobs) {
  const std::vector<float> logits = {std::log(3.0f), std::log(1.0f)};
  const uint32_t second[] = {2};
  const auto sampled = Sample(logits, {.temperature = 0, .top_logprobs = 1}, 0, {}, {}, second);
  ASSERT_TRUE(sampled.ok());
  EXPECT_EQ(sampled->chosen.token, 1);
  EXPECT_NEAR(sampled->chosen.logprob, std::log(0.25), 1e-6);
  EXPECT_EQ(sampled->top[0].token, 0);
}

TEST(Sampler, TooManyLogitsAreAnError) {
  const std::vector<float> logits(kMaxVocabulary + 1, 0.0f);
  EXPECT_EQ(Sample(logits, {}, 0).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace terminus::models::sampling
