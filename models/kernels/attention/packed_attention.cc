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

// Query rows that share one pass over the keys: with two vectors of columns, eight accumulators or
// more hide the latency of a fused multiply-add, and 6 × 2 still fit the 16 registers of AVX2.
constexpr int kRows = 6;

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
  bool causal;

  // Keys that query `row` sees.
  int Seen(int row) const { return causal ? row + 1 : length; }
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
template <typename V, int kCount>
TERMINUS_ALWAYS_INLINE void Scores(const Head& head, int first) {
  for (int j = 0; j < head.Seen(first + kCount - 1); j += 2 * kLanesOf<V>) {
    V sum[kCount][2] = {};
    for (int d = 0; d < head.head_dim; ++d) {
      const float* key = head.keys + static_cast<int64_t>(d) * head.padded + j;
      const V k0 = Load<V>(key);
      const V k1 = Load<V>(key + kLanesOf<V>);
#pragma GCC unroll 6
      for (int r = 0; r < kCount; ++r) {
        const float q = head.q[(first + r) * head.stride + d];
        sum[r][0] += q * k0;
        sum[r][1] += q * k1;
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) {
      Store(head.scores + r * head.padded + j, sum[r][0] * head.scale);
      Store(head.scores + r * head.padded + j + kLanesOf<V>, sum[r][1] * head.scale);
    }
  }
}

// Exponentiates the first `seen` of one row of scores in place, less their largest, and returns
// their sum. The others become 0.
template <typename V>
TERMINUS_ALWAYS_INLINE float Exponentiate(const Head& head, float* row, int seen) {
  std::fill(row + seen, row + head.padded, -std::numeric_limits<float>::infinity());
  V largest = Load<V>(row);
  for (int j = kLanesOf<V>; j < head.padded; j += kLanesOf<V>) {
    largest = Max(largest, Load<V>(row + j));
  }
  const float shift = Largest(largest);
  V sum = {};
  for (int j = 0; j < head.padded; j += kLanesOf<V>) {
    const V e = ExpOfNegative(Load<V>(row + j) - shift);
    sum += e;
    Store(row + j, e);
  }
  return Sum(sum);
}

// out[first + r] = scores[r] · v / sums[r].
template <typename V, int kCount>
TERMINUS_ALWAYS_INLINE void WeightedSum(const Head& head, int first, const float* sums) {
  const int seen = head.Seen(first + kCount - 1);
  int d = 0;
  for (; d + 2 * kLanesOf<V> <= head.head_dim; d += 2 * kLanesOf<V>) {
    V sum[kCount][2] = {};
    for (int j = 0; j < seen; ++j) {
      const V v0 = Load<V>(head.v + j * head.stride + d);
      const V v1 = Load<V>(head.v + j * head.stride + d + kLanesOf<V>);
#pragma GCC unroll 6
      for (int r = 0; r < kCount; ++r) {
        const float p = head.scores[r * head.padded + j];
        sum[r][0] += p * v0;
        sum[r][1] += p * v1;
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) {
      float* out = head.out + (first + r) * head.out_stride + d;
      Store(out, sum[r][0] / sums[r]);
      Store(out + kLanesOf<V>, sum[r][1] / sums[r]);
    }
  }
  if (d < head.head_dim) {
    V sum[kCount] = {};
    for (int j = 0; j < seen; ++j) {
      const V v = Load<V>(head.v + j * head.stride + d);
#pragma GCC unroll 6
      for (int r = 0; r < kCount; ++r) {
        sum[r] += head.scores[r * head.padded + j] * v;
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) {
      Store(head.out + (first + r) * head.out_stride + d, sum[r] / sums[r]);
    }
  }
}

template <typename V, int kCount>
TERMINUS_ALWAYS_INLINE void AttendRows(const Head& head, int first) {
  Scores<V, kCount>(head, first);
  float sums[kCount];
  for (int r = 0; r < kCount; ++r) {
    sums[r] = Exponentiate<V>(head, head.scores + r * head.padded, head.Seen(first + r));
  }
  WeightedSum<V, kCount>(head, first, sums);
}

template <typename V>
TERMINUS_ALWAYS_INLINE void Attend(const Head& head) {
  TransposeKeys(head);
  // Groups of about equal size: 4 and 3 rows rather than 6 and 1.
  const int groups = (head.length + kRows - 1) / kRows;
  int row = 0;
  for (int group = 0; group < groups; ++group) {
    const int next = static_cast<int>(static_cast<int64_t>(head.length) * (group + 1) / groups);
    switch (next - row) {
      case 1:
        AttendRows<V, 1>(head, row);
        break;
      case 2:
        AttendRows<V, 2>(head, row);
        break;
      case 3:
        AttendRows<V, 3>(head, row);
        break;
      case 4:
        AttendRows<V, 4>(head, row);
        break;
      case 5:
        AttendRows<V, 5>(head, row);
        break;
      case 6:
        AttendRows<V, 6>(head, row);
        break;
    }
    row = next;
  }
}

TERMINUS_AVX512 void AttendAvx512(const Head& head) { Attend<VecOf<16>>(head); }
TERMINUS_AVX2 void AttendAvx2(const Head& head) { Attend<VecOf<8>>(head); }
void AttendAnywhere(const Head& head) { Attend<VecOf<8>>(head); }

struct Kernel {
  void (*attend)(const Head&);
  int64_t step;  // Scores come in so many columns.
};

Kernel KernelFor(int width) {
  switch (width) {
    case 16:
      return {AttendAvx512, 2 * 16};
    case 8:
      return {AttendAvx2, 2 * 8};
    default:
      return {AttendAnywhere, 2 * 8};
  }
}

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

}  // namespace

bool PackedAttentionSupports(int head_dim) { return head_dim > 0 && head_dim % kLanes == 0; }

void PackedAttention(const PackedAttentionArgs& args, int width) {
  const int texts = static_cast<int>(args.offsets.size()) - 1;
  const int64_t hidden = static_cast<int64_t>(args.heads) * args.head_dim;
  int longest = 0;
  for (int i = 0; i < texts; ++i) {
    longest = std::max(longest, args.offsets[i + 1] - args.offsets[i]);
  }
  const Kernel kernel = KernelFor(width);
  const int64_t padded = RoundUp(longest, kernel.step);
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
      kernel.attend({.q = q,
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
                     .padded = static_cast<int>(RoundUp(length, kernel.step)),
                     .causal = args.causal});
    }
  });
}

}  // namespace terminus::models::kernels
