#include "models/kernels/paged/paged_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

// Query rows (tokens × heads of a group) of a unit: enough that a page read is used often.
constexpr int kUnitRows = 24;

// Rows whose sums are in registers at once: of 16 floats each, two registers of AVX2.
constexpr int kRows = 6;

constexpr int kRunPages = 8;
constexpr int kRunTokens = kRunPages * kPageTokens;

// Query tokens of a unit.
int UnitTokens(int heads, int kv_heads) { return std::max(1, kUnitRows / (heads / kv_heads)); }

int UnitRows(int heads, int kv_heads) { return UnitTokens(heads, kv_heads) * (heads / kv_heads); }

// Where a unit's numbers are.
struct Work {
  float* q;        // [rows, head_dim], scaled.
  float* sums;     // [rows, head_dim]: of values, weighted, so far.
  float* scores;   // [rows, kRunTokens]
  float* largest;  // [rows]: score so far.
  float* total;    // [rows]: of weights so far.
  int rows;
  int head_dim;
};

// One run of pages.
struct PageRun {
  const float* keys[kRunPages];    // [head_dim, kPageTokens]
  const float* values[kRunPages];  // [kPageTokens, head_dim]
  int pages;
  int tokens;
};

template <int kCount>
TERMINUS_ALWAYS_INLINE void PageScores(const Work& work, const float* keys, int first, int at) {
  Vec sum[kCount] = {};
  for (int d = 0; d < work.head_dim; ++d) {
    const Vec key = Load(keys + d * kPageTokens);
    for (int r = 0; r < kCount; ++r) {
      sum[r] += work.q[(first + r) * work.head_dim + d] * key;
    }
  }
  for (int r = 0; r < kCount; ++r) {
    Store(work.scores + (first + r) * kRunTokens + at, sum[r]);
  }
}

template <int kCount>
TERMINUS_ALWAYS_INLINE void AddValues(const Work& work, const PageRun& run, int first, int d) {
  Vec sum[kCount];
  for (int r = 0; r < kCount; ++r) {
    sum[r] = Load(work.sums + (first + r) * work.head_dim + d);
  }
  for (int page = 0; page < run.pages; ++page) {
    const int tokens = std::min(kPageTokens, run.tokens - page * kPageTokens);
    for (int t = 0; t < tokens; ++t) {
      const Vec value = Load(run.values[page] + t * work.head_dim + d);
      for (int r = 0; r < kCount; ++r) {
        sum[r] += work.scores[(first + r) * kRunTokens + page * kPageTokens + t] * value;
      }
    }
  }
  for (int r = 0; r < kCount; ++r) {
    Store(work.sums + (first + r) * work.head_dim + d, sum[r]);
  }
}

// Turns one row's scores of a run into weights. Those outside [begin, end) count for nothing.
TERMINUS_ALWAYS_INLINE void Weigh(const Work& work, int row, int begin, int end) {
  float* scores = work.scores + row * kRunTokens;
  begin = std::max(begin, 0);
  end = std::clamp(end, 0, kRunTokens);
  if (begin >= end) {
    std::fill(scores, scores + kRunTokens, 0.0f);
    return;
  }
  std::fill(scores, scores + begin, -std::numeric_limits<float>::infinity());
  std::fill(scores + end, scores + kRunTokens, -std::numeric_limits<float>::infinity());
  Vec largest = Load(scores);
  for (int i = kLanes; i < kRunTokens; i += kLanes) {
    largest = Max(largest, Load(scores + i));
  }
  const float before = work.largest[row];
  const float now = std::max(before, Largest(largest));
  Vec sum = {};
  for (int i = 0; i < kRunTokens; i += kLanes) {
    const Vec e = ExpOfNegative(Load(scores + i) - now);
    sum += e;
    Store(scores + i, e);
  }
  const float shrink = std::exp(before - now);
  work.total[row] = work.total[row] * shrink + Sum(sum);
  work.largest[row] = now;
  if (shrink != 1) {
    for (int d = 0; d < work.head_dim; d += kLanes) {
      Store(work.sums + row * work.head_dim + d,
            Load(work.sums + row * work.head_dim + d) * shrink);
    }
  }
}

// Calls f with 1 to kRows rows at a time, their number known when compiled.
template <class F>
TERMINUS_ALWAYS_INLINE void InTiles(int rows, const F& f) {
  int first = 0;
  for (; first + kRows <= rows; first += kRows) {
    f.template operator()<kRows>(first);
  }
  switch (rows - first) {
    case 1:
      return f.template operator()<1>(first);
    case 2:
      return f.template operator()<2>(first);
    case 3:
      return f.template operator()<3>(first);
    case 4:
      return f.template operator()<4>(first);
    case 5:
      return f.template operator()<5>(first);
    default:
      return;
  }
}

// The range of a run's tokens that the queries of a unit see.
struct Sight {
  int end;     // The unit's first query sees the tokens below this one.
  int window;  // Tokens that each query sees, as in PagedAttentionArgs.
  int group;   // Rows of one query; the next query's rows see one token more.
};

TERMINUS_ALWAYS_INLINE void AttendRun(const Work& work, const PageRun& run, const Sight& sight) {
  for (int page = 0; page < run.pages; ++page) {
    InTiles(
        work.rows, [&]<int kCount>(int first) __attribute__((always_inline)) {
          PageScores<kCount>(work, run.keys[page], first, page * kPageTokens);
        });
  }
  for (int row = 0; row < work.rows; ++row) {
    const int end = sight.end + row / sight.group;
    Weigh(work, row, sight.window > 0 ? end - sight.window : 0, end);
  }
  for (int d = 0; d < work.head_dim; d += kLanes) {
    InTiles(
        work.rows, [&]<int kCount>(int first)
                       __attribute__((always_inline)) { AddValues<kCount>(work, run, first, d); });
  }
}

void AttendRunGeneric(const Work& work, const PageRun& run, const Sight& sight) {
  AttendRun(work, run, sight);
}
TERMINUS_TARGET_AVX2 void AttendRunAvx2(const Work& work, const PageRun& run, const Sight& sight) {
  AttendRun(work, run, sight);
}
TERMINUS_TARGET_AVX512 void AttendRunAvx512(const Work& work, const PageRun& run,
                                            const Sight& sight) {
  AttendRun(work, run, sight);
}

using AttendRunFunction = void (*)(const Work&, const PageRun&, const Sight&);

AttendRunFunction AttendRunFor(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return &AttendRunAvx512;
    case Isa::kAvx2:
      return &AttendRunAvx2;
    case Isa::kGeneric:
      break;
  }
  return &AttendRunGeneric;
}

// Tokens of a sequence, the step's included.
int Length(const PagedAttentionArgs& args, int sequence) {
  const int pages = args.page_indptr[sequence + 1] - args.page_indptr[sequence];
  return (pages - 1) * kPageTokens + args.last_page_len[sequence];
}

int Queries(const PagedAttentionArgs& args, int sequence) {
  return args.query_indptr[sequence + 1] - args.query_indptr[sequence];
}

}  // namespace

bool PagedAttentionSupports(int heads, int kv_heads, int head_dim) {
  return kv_heads > 0 && heads > 0 && heads % kv_heads == 0 && head_dim > 0 &&
         head_dim % kLanes == 0;
}

void WriteKv(const KvPages& pages, const float* keys, const float* values, int32_t page, int slot) {
  float* to_keys = pages.keys + page * pages.page_floats() + slot;
  float* to_values = pages.values + page * pages.page_floats() + slot * pages.head_dim;
  const int64_t head_floats = static_cast<int64_t>(pages.head_dim) * kPageTokens;
  for (int head = 0; head < pages.kv_heads; ++head) {
    for (int d = 0; d < pages.head_dim; ++d) {
      to_keys[head * head_floats + d * kPageTokens] = keys[head * pages.head_dim + d];
    }
    std::memcpy(to_values + head * head_floats, values + head * pages.head_dim,
                pages.head_dim * sizeof(float));
  }
}

std::vector<AttentionUnit> PlanPagedAttention(const PagedAttentionArgs& args) {
  const int step = UnitTokens(args.heads, args.kv.kv_heads);
  std::vector<AttentionUnit> units;
  const int sequences = static_cast<int>(args.last_page_len.size());
  for (int sequence = 0; sequence < sequences; ++sequence) {
    const int queries = Queries(args, sequence);
    for (int first = 0; first < queries; first += step) {
      for (int head = 0; head < args.kv.kv_heads; ++head) {
        units.push_back({.sequence = sequence,
                         .kv_head = head,
                         .first = first,
                         .count = std::min(step, queries - first)});
      }
    }
  }
  const auto cost = [&](const AttentionUnit& unit) {
    const int keys = Length(args, unit.sequence) - Queries(args, unit.sequence) + unit.first;
    return static_cast<int64_t>(keys + unit.count) * unit.count;
  };
  std::stable_sort(units.begin(), units.end(), [&](const AttentionUnit& a, const AttentionUnit& b) {
    return cost(a) > cost(b);
  });
  return units;
}

PagedAttention::PagedAttention(Isa isa, int heads, int kv_heads, int head_dim)
    : isa_(isa),
      scratch_(UnitRows(heads, kv_heads) * (2 * static_cast<size_t>(head_dim) + kRunTokens + 2)) {}

void PagedAttention::Run(const PagedAttentionArgs& args, const AttentionUnit& unit) {
  const int group = args.heads / args.kv.kv_heads;
  const int head_dim = args.kv.head_dim;
  const int rows = unit.count * group;
  const int hidden = args.heads * head_dim;
  Work work{.q = scratch_.data(), .rows = rows, .head_dim = head_dim};
  work.sums = work.q + rows * head_dim;
  work.scores = work.sums + rows * head_dim;
  work.largest = work.scores + rows * kRunTokens;
  work.total = work.largest + rows;

  // The group's heads of one token are neighbours, in `q` as in `out`.
  const int64_t token = args.query_indptr[unit.sequence] + unit.first;
  const int64_t column = static_cast<int64_t>(unit.kv_head) * group * head_dim;
  for (int i = 0; i < unit.count; ++i) {
    const float* from = args.q + (token + i) * args.q_stride + column;
    for (int d = 0; d < group * head_dim; ++d) {
      work.q[i * group * head_dim + d] = from[d] * args.scale;
    }
  }
  std::fill_n(work.sums, rows * head_dim, 0.0f);
  std::fill_n(work.largest, rows, -std::numeric_limits<float>::infinity());
  std::fill_n(work.total, rows, 0.0f);

  // What the unit's first query sees, itself included.
  const int visible = Length(args, unit.sequence) - Queries(args, unit.sequence) + unit.first + 1;
  const int tokens = visible + unit.count - 1;
  const int32_t* table = args.page_indices.data() + args.page_indptr[unit.sequence];
  const int64_t head_floats = static_cast<int64_t>(head_dim) * kPageTokens;
  const AttendRunFunction attend = AttendRunFor(isa_);
  // Pages before the first query's window are not read.
  const int unseen = args.window > 0 ? std::max(0, visible - args.window) : 0;
  for (int start = unseen / kPageTokens * kPageTokens; start < tokens; start += kRunTokens) {
    PageRun run = {};
    run.tokens = std::min(kRunTokens, tokens - start);
    run.pages = (run.tokens + kPageTokens - 1) / kPageTokens;
    for (int page = 0; page < run.pages; ++page) {
      const int64_t at =
          table[start / kPageTokens + page] * args.kv.page_floats() + unit.kv_head * head_floats;
      run.keys[page] = args.kv.keys + at;
      run.values[page] = args.kv.values + at;
    }
    attend(work, run, {.end = visible - start, .window = args.window, .group = group});
  }

  for (int row = 0; row < rows; ++row) {
    float* out = args.out + (token + row / group) * hidden + column + row % group * head_dim;
    for (int d = 0; d < head_dim; ++d) {
      out[d] = work.sums[row * head_dim + d] / work.total[row];
    }
  }
}

}  // namespace terminus::models::kernels
