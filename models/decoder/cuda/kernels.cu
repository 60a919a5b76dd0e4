#include "models/cuda/launch.cuh"
#include "models/decoder/cuda/kernels.h"

namespace terminus::models::decoder::cuda {
namespace {

using models::cuda::LaunchBehind;
using models::cuda::LetNextStart;
using models::cuda::WaitForBefore;

constexpr int kVector = 8;  // Values of a 16-byte load.

struct Values {
  float v[kVector];
};

__device__ __forceinline__ Values Load(const Bf16* from) {
  const uint4 raw = *reinterpret_cast<const uint4*>(from);
  const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(&raw);
  Values values;
#pragma unroll
  for (int i = 0; i < kVector / 2; ++i) {
    const float2 pair = __bfloat1622float2(pairs[i]);
    values.v[2 * i] = pair.x;
    values.v[2 * i + 1] = pair.y;
  }
  return values;
}

__device__ __forceinline__ void Store(const Values& values, Bf16* to) {
  uint4 raw;
  auto* pairs = reinterpret_cast<__nv_bfloat162*>(&raw);
#pragma unroll
  for (int i = 0; i < kVector / 2; ++i) {
    pairs[i] = __floats2bfloat162_rn(values.v[2 * i], values.v[2 * i + 1]);
  }
  *reinterpret_cast<uint4*>(to) = raw;
}

__device__ __forceinline__ float SumOfSquares(const Values& values) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    sum += values.v[i] * values.v[i];
  }
  return sum;
}

// Over groups of `kLanes` lanes; every lane gets the sum.
template <int kLanes>
__device__ __forceinline__ float GroupSum(float x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, step);
  }
  return x;
}

__global__ void Embed(EmbedArgs args) {
  LetNextStart();
  WaitForBefore();
  const int token = blockIdx.x;
  int32_t id = args.token_ids[token];
  if (id < 0) {
    id = args.last_tokens[args.slots[token]];
  }
  const auto* from = reinterpret_cast<const uint4*>(args.table + int64_t{id} * args.hidden);
  auto* to = reinterpret_cast<uint4*>(args.x + int64_t{token} * args.hidden);
  for (int i = threadIdx.x; i < args.hidden / kVector; i += blockDim.x) {
    to[i] = from[i];
  }
}

// A block a row, which stays in the registers: at most kParts vectors a thread.
template <int kThreads, int kParts>
__global__ void __launch_bounds__(kThreads) RmsNorm(RmsNormArgs args) {
  const int vectors = args.hidden / kVector;
  // The weight is not written by what ran before: it can come early.
  Values weight[kParts];
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const int at = part * kThreads + threadIdx.x;
    if (at < vectors) {
      weight[part] = Load(args.weight + at * kVector);
    }
  }
  LetNextStart();
  WaitForBefore();
  const int64_t row = args.rows == nullptr ? blockIdx.x : args.rows[blockIdx.x];
  const Bf16* x = args.x + row * args.hidden;
  Values values[kParts];
  float sum = 0;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const int at = part * kThreads + threadIdx.x;
    if (at < vectors) {
      values[part] = Load(x + at * kVector);
      sum += SumOfSquares(values[part]);
    }
  }
  sum = GroupSum<32>(sum);
  __shared__ float sums[kThreads / 32];
  if (threadIdx.x % 32 == 0) {
    sums[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  sum = 0;
#pragma unroll
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    sum += sums[warp];
  }
  const float scale = rsqrtf(sum / args.hidden + args.eps);
  Bf16* out = args.out + static_cast<int64_t>(blockIdx.x) * args.hidden;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const int at = part * kThreads + threadIdx.x;
    if (at < vectors) {
#pragma unroll
      for (int i = 0; i < kVector; ++i) {
        values[part].v[i] *= scale * weight[part].v[i];
      }
      Store(values[part], out + at * kVector);
    }
  }
}

// kLanes lanes hold one head: lane i the vector i of its first half and that of its second half,
// which are the pairs that turn together. A block is one token.
template <int kHeadDim>
__global__ void __launch_bounds__(256) Heads(HeadsArgs args) {
  constexpr int kHalf = kHeadDim / 2;
  constexpr int kLanes = kHalf / kVector;
  LetNextStart();
  WaitForBefore();
  const int token = blockIdx.x;
  const int lane = threadIdx.x % kLanes;
  const int all_heads = args.heads + 2 * args.kv_heads;
  const int32_t kv_row = args.kv_rows[token];
  const int64_t block = kv_row / kBlockTokens;
  const int inside = kv_row % kBlockTokens;
  Bf16* const heads = args.qkv + int64_t{token} * all_heads * kHeadDim;
  float2 turn[kVector];
  if (args.angles != nullptr) {
    const float2* angles = args.angles + int64_t{args.positions[token]} * kHalf + lane * kVector;
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      turn[i] = angles[i];
    }
  }
  // All lanes of a warp take as many turns, so that they can exchange sums.
  const int groups = blockDim.x / kLanes;
  for (int first = 0; first < all_heads; first += groups) {
    const int head = first + threadIdx.x / kLanes;
    const bool valid = head < all_heads;
    const bool is_query = head < args.heads;
    const bool is_value = head >= args.heads + args.kv_heads;
    Values low = {};
    Values high = {};
    Bf16* const at = heads + head * kHeadDim + lane * kVector;
    if (valid) {
      low = Load(at);
      high = Load(at + kHalf);
    }
    const Bf16* norm = is_query ? args.query_norm : args.key_norm;
    if (args.query_norm != nullptr) {
      const float sum = GroupSum<kLanes>(SumOfSquares(low) + SumOfSquares(high));
      if (valid && !is_value) {
        const float scale = rsqrtf(sum / kHeadDim + args.eps);
        const Values low_weight = Load(norm + lane * kVector);
        const Values high_weight = Load(norm + kHalf + lane * kVector);
#pragma unroll
        for (int i = 0; i < kVector; ++i) {
          low.v[i] *= scale * low_weight.v[i];
          high.v[i] *= scale * high_weight.v[i];
        }
      }
    }
    if (!valid) {
      continue;
    }
    if (args.angles != nullptr && !is_value) {
#pragma unroll
      for (int i = 0; i < kVector; ++i) {
        const float x = low.v[i];
        const float y = high.v[i];
        low.v[i] = x * turn[i].x - y * turn[i].y;
        high.v[i] = y * turn[i].x + x * turn[i].y;
      }
    }
    Bf16* to = at;
    if (!is_query) {
      const int kv_head = head - args.heads - (is_value ? args.kv_heads : 0);
      Bf16* const cache = is_value ? args.cache.values : args.cache.keys;
      to = cache + ((block * args.kv_heads + kv_head) * kBlockTokens + inside) * kHeadDim +
           lane * kVector;
    }
    Store(low, to);
    Store(high, to + kHalf);
  }
}

__global__ void __launch_bounds__(256)
    SiluMul(const Bf16* __restrict__ x, Bf16* __restrict__ out, int64_t vectors, int64_t width) {
  LetNextStart();
  WaitForBefore();
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x);
  if (at >= vectors) {
    return;
  }
  const int64_t row = at * kVector / width;
  const int64_t column = at * kVector % width;
  const Bf16* from = x + row * 2 * width + column;
  Values gate = Load(from);
  const Values up = Load(from + width);
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    gate.v[i] = gate.v[i] / (1 + __expf(-gate.v[i])) * up.v[i];
  }
  Store(gate, out + at * kVector);
}

}  // namespace

cudaError_t LaunchEmbed(const EmbedArgs& args, cudaStream_t stream) {
  return LaunchBehind(Embed, dim3(args.tokens), dim3(256), 0, stream, args);
}

cudaError_t LaunchRmsNorm(const RmsNormArgs& args, cudaStream_t stream) {
  const dim3 grid(args.count);
  if (args.hidden <= 256 * kVector) {
    return LaunchBehind(RmsNorm<256, 1>, grid, dim3(256), 0, stream, args);
  }
  if (args.hidden <= 512 * kVector) {
    return LaunchBehind(RmsNorm<512, 1>, grid, dim3(512), 0, stream, args);
  }
  if (args.hidden <= 2048 * kVector) {
    return LaunchBehind(RmsNorm<512, 4>, grid, dim3(512), 0, stream, args);
  }
  return cudaErrorInvalidValue;
}

cudaError_t LaunchHeads(const HeadsArgs& args, cudaStream_t stream) {
  const auto kernel = args.head_dim == 128 ? Heads<128> : Heads<64>;
  return LaunchBehind(kernel, dim3(args.tokens), dim3(256), 0, stream, args);
}

cudaError_t LaunchSiluMul(const Bf16* x, Bf16* out, int64_t tokens, int64_t width,
                          cudaStream_t stream) {
  const int64_t vectors = tokens * width / kVector;
  const dim3 grid(static_cast<unsigned>((vectors + 255) / 256));
  return LaunchBehind(SiluMul, grid, dim3(256), 0, stream, x, out, vectors, width);
}

}  // namespace terminus::models::decoder::cuda
