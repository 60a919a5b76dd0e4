#include "models/kernels/attention/packed_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// Query rows that share one pass over the keys: with two vectors of columns, eight accumulators
// hide the latency of a fused multiply-add.
constexpr int kRows = 4;

// One head of one text.
struct Head {
  const float* q;  // [length] rows, `stride` apart.
  const float* k;
  const float* v;
  float* out;  // [length] rows, `out_stride` apart.
  int64_t stride;
  int64_t out_stride;
  int length;
  int head_dim;
  float scale;
  float* keys;    // Scratch: [head_dim, padded]: the keys transposed.
  float* scores;  // Scratch: [kRows, padded].
  int padded;     // `length` rounded up to two vectors.
};

TERMINUS_ALWAYS_INLINE void TransposeKeys(const Head& head) {
  for (int d = 0; d < head.head_dim; ++d) {
    float* row = head.keys + static_cast<int64_t>(d) * head.padded;
    for (int j = 0; j < head.length; ++j) {
      row[j] = head.k[j * head.stride + d];
    }
    std::fill(row + head.length, row + head.padded, 0.0f);
  }
}

// scores[r, :] = q[first + r] · keys, for `kCount` rows.
template <int kCount>
TERMINUS_ALWAYS_INLINE void Scores(const Head& head, int first) {
  for (int j = 0; j < head.padded; j += 2 * kLanes) {
    Vec sum[kCount][2] = {};
    for (int d = 0; d < head.head_dim; ++d) {
      const float* key = head.keys + static_cast<int64_t>(d) * head.padded + j;
      const Vec k0 = Load(key);
      const Vec k1 = Load(key + kLanes);
      for (int r = 0; r < kCount; ++r) {
        const float q = head.q[(first + r) * head.stride + d];
        sum[r][0] += q * k0;
        sum[r][1] += q * k1;
      }
    }
    for (int r = 0; r < kCount; ++r) {
      Store(head.scores + r * head.padded + j, sum[r][0] * head.scale);
      Store(head.scores + r * head.padded + j + kLanes, sum[r][1] * head.scale);
    }
  }
}

// Exponentiates one row of scores in place, less its largest, and returns its sum.
TERMINUS_ALWAYS_INLINE float Exponentiate(const Head& head, float* row) {
  std::fill(row + head.length, row + head.padded, -std::numeric_limits<float>::infinity());
  Vec largest = Load(row);
  for (int j = kLanes; j < head.padded; j += kLanes) {
    largest = Max(largest, Load(row + j));
  }
  const float shift = Largest(largest);
  Vec sum = {};
  for (int j = 0; j < head.padded; j += kLanes) {
    const Vec e = ExpOfNegative(Load(row + j) - shift);
    sum += e;
    Store(row + j, e);
  }
  return Sum(sum);
}

// out[first + r] = scores[r] · v / sums[r].
template <int kCount>
TERMINUS_ALWAYS_INLINE void WeightedSum(const Head& head, int first, const float* sums) {
  int d = 0;
  for (; d + 2 * kLanes <= head.head_dim; d += 2 * kLanes) {
    Vec sum[kCount][2] = {};
    for (int j = 0; j < head.length; ++j) {
      const Vec v0 = Load(head.v + j * head.stride + d);
      const Vec v1 = Load(head.v + j * head.stride + d + kLanes);
      for (int r = 0; r < kCount; ++r) {
        const float p = head.scores[r * head.padded + j];
        sum[r][0] += p * v0;
        sum[r][1] += p * v1;
      }
    }
    for (int r = 0; r < kCount; ++r) {
      float* out = head.out + (first + r) * head.out_stride + d;
      Store(out, sum[r][0] / sums[r]);
      Store(out + kLanes, sum[r][1] / sums[r]);
    }
  }
  if (d < head.head_dim) {
    Vec sum[kCount] = {};
    for (int j = 0; j < head.length; ++j) {
      const Vec v = Load(head.v + j * head.stride + d);
      for (int r = 0; r < kCount; ++r) {
        sum[r] += head.scores[r * head.padded + j] * v;
      }
    }
    for (int r = 0; r < kCount; ++r) {
      Store(head.out + (first + r) * head.out_stride + d, sum[r] / sums[r]);
    }
  }
}

template <int kCount>
TERMINUS_ALWAYS_INLINE void AttendRows(const Head& head, int first) {
  Scores<kCount>(head, first);
  float sums[kCount];
  for (int r = 0; r < kCount; ++r) {
    sums[r] = Exponentiate(head, head.scores + r * head.padded);
  }
  WeightedSum<kCount>(head, first, sums);
}

TERMINUS_SIMD_CLONES void Attend(const Head& head) {
  TransposeKeys(head);
  int row = 0;
  for (; row + kRows <= head.length; row += kRows) {
    AttendRows<kRows>(head, row);
  }
  for (; row < head.length; ++row) {
    AttendRows<1>(head, row);
  }
}

}  // namespace

bool PackedAttentionSupports(int head_dim) { return head_dim > 0 && head_dim % kLanes == 0; }

void PackedAttention(const PackedAttentionArgs& args) {
  const int texts = static_cast<int>(args.offsets.size()) - 1;
  const int64_t hidden = static_cast<int64_t>(args.heads) * args.head_dim;
  int longest = 0;
  for (int i = 0; i < texts; ++i) {
    longest = std::max(longest, args.offsets[i + 1] - args.offsets[i]);
  }
  const int64_t padded = (longest + 2 * kLanes - 1) / (2 * kLanes) * (2 * kLanes);
  // Heads outside, texts inside: a thread's share then has all the lengths in it. Some 64k
  // multiplications are worth waking another thread.
  const int64_t units = static_cast<int64_t>(args.heads) * texts;
  const int64_t tokens = args.offsets[texts];
  const int64_t work = std::max<int64_t>(1, 2 * tokens * longest * args.head_dim / texts);
  const int64_t grain = std::max<int64_t>(1, 65536 / work);
  at::parallel_for(0, units, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(padded * (args.head_dim + kRows));
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t head = unit / texts;
      const int text = static_cast<int>(unit % texts);
      const int64_t first = args.offsets[text];
      const int length = args.offsets[text + 1] - args.offsets[text];
      const float* q = args.qkv + first * 3 * hidden + head * args.head_dim;
      Attend({.q = q,
              .k = q + hidden,
              .v = q + 2 * hidden,
              .out = args.out + first * hidden + head * args.head_dim,
              .stride = 3 * hidden,
              .out_stride = hidden,
              .length = length,
              .head_dim = args.head_dim,
              .scale = 1 / std::sqrt(static_cast<float>(args.head_dim)),
              .keys = scratch.data(),
              .scores = scratch.data() + padded * args.head_dim,
              .padded = (length + 2 * kLanes - 1) / (2 * kLanes) * (2 * kLanes)});
    }
  });
}

}  // namespace terminus::models::kernels
