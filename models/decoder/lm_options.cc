#include "models/decoder/lm_options.h"

#include <algorithm>

namespace terminus::models::decoder {
namespace {

constexpr int64_t kCpuKvBytes = int64_t{512} << 20;
constexpr int kCpuSequences = 8;
constexpr int kGpuSequences = 512;
constexpr int kCpuTokens = 128;
constexpr int kGpuTokens = 8192;

}  // namespace

LmOptions ResolveSizes(LmOptions options, bool gpu) {
  if (options.kv_bytes == 0 && !gpu) {
    options.kv_bytes = kCpuKvBytes;
  }
  if (options.max_sequences == 0) {
    options.max_sequences = gpu ? kGpuSequences : kCpuSequences;
  }
  if (options.max_tokens == 0) {
    options.max_tokens = gpu ? kGpuTokens : kCpuTokens;
  }
  options.max_tokens = std::max(options.max_tokens, options.max_sequences);
  return options;
}

}  // namespace terminus::models::decoder
