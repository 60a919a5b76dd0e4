#include "models/kernels/paged/paged_attention.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "models/kernels/norm/rms_norm.h"
#include "models/kernels/paged/rope.h"

namespace terminus::models::kernels {
namespace {

struct Shape {
  int heads, kv_heads, head_dim;
};

// New tokens and, with those before, the length of a sequence.
struct Sequence {
  int queries, length;
};

class Steps {
 public:
  Steps(const Shape& shape, const std::vector<Sequence>& sequences, uint32_t seed)
      : shape_(shape), sequences_(sequences), engine_(seed) {
    int pages = 0;
    for (const Sequence& sequence : sequences) {
      pages += (sequence.length + kPageTokens - 1) / kPageTokens;
    }
    std::vector<int32_t> order(pages + 3);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), engine_);
    keys_ = Random(order.size() * kPageTokens * shape.kv_heads * shape.head_dim);
    values_ = Random(keys_.size());
    kv_ = {.keys = keys_.data(),
           .values = values_.data(),
           .kv_heads = shape.kv_heads,
           .head_dim = shape.head_dim};
    query_indptr_ = page_indptr_ = {0};
    for (const Sequence& sequence : sequences) {
      const int count = (sequence.length + kPageTokens - 1) / kPageTokens;
      for (int i = 0; i < count; ++i) {
        indices_.push_back(order[indices_.size()]);
      }
      page_indptr_.push_back(static_cast<int32_t>(indices_.size()));
      last_.push_back(sequence.length - (count - 1) * kPageTokens);
      query_indptr_.push_back(query_indptr_.back() + sequence.queries);
      AddTokens(static_cast<int>(last_.size()) - 1, sequence.length);
    }
    q_ = Random(query_indptr_.back() * stride());
  }

  // `window`: as PagedAttentionArgs has it.
  std::vector<float> Run(Isa isa, int window) {
    std::vector<float> out(query_indptr_.back() * shape_.heads * shape_.head_dim, 7);
    const PagedAttentionArgs args{.q = q_.data(),
                                  .q_stride = stride(),
                                  .out = out.data(),
                                  .kv = kv_,
                                  .query_indptr = query_indptr_,
                                  .page_indptr = page_indptr_,
                                  .page_indices = indices_,
                                  .last_page_len = last_,
                                  .heads = shape_.heads,
                                  .scale = 0.3f,
                                  .window = window};
    PagedAttention attention(isa, shape_.heads, shape_.kv_heads, shape_.head_dim);
    for (const AttentionUnit& unit : PlanPagedAttention(args)) {
      attention.Run(args, unit);
    }
    return out;
  }

  std::vector<float> Reference(int window) const {
    std::vector<float> out;
    for (size_t s = 0; s < sequences_.size(); ++s) {
      for (int i = 0; i < sequences_[s].queries; ++i) {
        for (int head = 0; head < shape_.heads; ++head) {
          Attend(s, i, head, window, &out);
        }
      }
    }
    return out;
  }

 private:
  int64_t stride() const { return (shape_.heads + 2 * shape_.kv_heads) * shape_.head_dim; }

  std::vector<float> Random(size_t count) {
    std::uniform_real_distribution<float> uniform(-2, 2);
    std::vector<float> values(count);
    for (float& value : values) {
      value = uniform(engine_);
    }
    return values;
  }

  // The sequence's own keys and values, kept apart as well.
  void AddTokens(int sequence, int length) {
    token_keys_.push_back(Random(length * shape_.kv_heads * shape_.head_dim));
    token_values_.push_back(Random(length * shape_.kv_heads * shape_.head_dim));
    for (int t = 0; t < length; ++t) {
      const int64_t at = static_cast<int64_t>(t) * shape_.kv_heads * shape_.head_dim;
      WriteKv(kv_, token_keys_.back().data() + at, token_values_.back().data() + at,
              indices_[page_indptr_[sequence] + t / kPageTokens], t % kPageTokens);
    }
  }

  void Attend(size_t s, int query, int head, int window, std::vector<float>* out) const {
    const int position = sequences_[s].length - sequences_[s].queries + query;
    const float* q = q_.data() + (query_indptr_[s] + query) * stride() + head * shape_.head_dim;
    const int kv_head = head / (shape_.heads / shape_.kv_heads);
    const auto at = [&](int t) {
      return (static_cast<int64_t>(t) * shape_.kv_heads + kv_head) * shape_.head_dim;
    };
    const int first = window > 0 ? std::max(0, position - window + 1) : 0;
    std::vector<double> weights(first, 0.0);
    double total = 0;
    for (int t = first; t <= position; ++t) {
      double score = 0;
      for (int d = 0; d < shape_.head_dim; ++d) {
        score += q[d] * token_keys_[s][at(t) + d];
      }
      weights.push_back(std::exp(0.3 * score));
      total += weights.back();
    }
    for (int d = 0; d < shape_.head_dim; ++d) {
      double sum = 0;
      for (int t = 0; t <= position; ++t) {
        sum += weights[t] * token_values_[s][at(t) + d];
      }
      out->push_back(static_cast<float>(sum / total));
    }
  }

  Shape shape_;
  std::vector<Sequence> sequences_;
  std::mt19937 engine_;
  std::vector<float> keys_, values_, q_;
  std::vector<std::vector<float>> token_keys_, token_values_;
  std::vector<int32_t> query_indptr_, page_indptr_, indices_, last_;
  KvPages kv_;
};

class PagedAttentionTest : public testing::TestWithParam<Isa> {};

TEST_P(PagedAttentionTest, EqualsReference) {
  const std::vector<Shape> shapes = {{9, 3, 64}, {4, 4, 16}, {8, 1, 32}, {32, 2, 16}, {2, 1, 128}};
  const std::vector<std::vector<Sequence>> steps = {
      {{1, 1}},
      {{1, 16}, {1, 17}, {1, 128}, {1, 129}, {1, 300}},
      {{5, 5}, {1, 40}, {33, 161}, {16, 16}},
      {{140, 140}},
      {{129, 270}, {1, 2}}};
  // Windows of one token, within a page, of whole pages, and behind a run of pages.
  for (const int window : {0, 1, 5, 32, 129}) {
    for (const Shape& shape : shapes) {
      for (size_t i = 0; i < steps.size(); ++i) {
        SCOPED_TRACE(testing::Message()
                     << shape.heads << "/" << shape.kv_heads << " heads of " << shape.head_dim
                     << ", step " << i << ", window " << window);
        Steps step(shape, steps[i], 11 + i);
        const std::vector<float> out = step.Run(GetParam(), window);
        const std::vector<float> expected = step.Reference(window);
        ASSERT_EQ(out.size(), expected.size());
        for (size_t k = 0; k < out.size(); ++k) {
          ASSERT_NEAR(out[k], expected[k], 3e-5) << "element " << k;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, PagedAttentionTest, testing::ValuesIn(SupportedIsas()));

TEST(PagedAttention, SaysWhichShapesItTakes) {
  EXPECT_TRUE(PagedAttentionSupports(9, 3, 64));
  EXPECT_FALSE(PagedAttentionSupports(9, 2, 64));
  EXPECT_FALSE(PagedAttentionSupports(9, 3, 40));
  EXPECT_FALSE(PagedAttentionSupports(9, 0, 64));
}

TEST(RotateHeads, TurnsPairsOfHalves) {
  // By 90°: (a, b) → (-b, a); by 0° nothing.
  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<float> cos = {0, 1};
  const std::vector<float> sin = {1, 0};
  RotateHeads(x.data(), 2, 4, cos.data(), sin.data());
  EXPECT_EQ(x, (std::vector<float>{-3, 2, 1, 4, -7, 6, 5, 8}));
}

TEST(RmsNorm, EqualsReference) {
  for (const int width : {1, 15, 16, 64, 577}) {
    std::vector<float> x(3 * width), weight(width), y(3 * width);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = std::sin(static_cast<float>(i)) * 3;
    }
    for (int i = 0; i < width; ++i) {
      weight[i] = 1 + 0.1f * std::cos(static_cast<float>(i));
    }
    RmsNorm(x.data(), weight.data(), 1e-5f, 3, width, y.data());
    for (int row = 0; row < 3; ++row) {
      double sum = 0;
      for (int i = 0; i < width; ++i) {
        sum += x[row * width + i] * x[row * width + i];
      }
      for (int i = 0; i < width; ++i) {
        const double expected = x[row * width + i] / std::sqrt(sum / width + 1e-5) * weight[i];
        ASSERT_NEAR(y[row * width + i], expected, 1e-5) << width;
      }
    }
  }
}

}  // namespace
}  // namespace terminus::models::kernels
