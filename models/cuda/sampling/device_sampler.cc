#include "models/cuda/sampling/device_sampler.h"

#include <algorithm>
#include <cstring>

#include "models/cuda/sampling/sample_rows.h"
#include "models/sampling/arithmetic.h"

namespace terminus::models::cuda {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kMinStaging = size_t{8} << 20;

size_t RuleBytes(int32_t rules) { return static_cast<size_t>(rules) * sizeof(sampling::TokenRule); }
size_t TokenBytes(int32_t tokens) { return static_cast<size_t>(tokens) * sizeof(int32_t); }

// Lays arrays one behind the other. Without memory it only adds up their sizes.
class Layout {
 public:
  explicit Layout(void* memory) : memory_(static_cast<char*>(memory)) {}

  template <class Value>
  Value* Array(int64_t count) {
    char* const begin = memory_ == nullptr ? nullptr : memory_ + bytes_;
    const size_t bytes = static_cast<size_t>(count) * sizeof(Value);
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<Value*>(begin);
  }

  size_t bytes() const { return bytes_; }

 private:
  char* memory_;
  size_t bytes_ = 0;
};

SamplerState Lay(const TerminusSamplerSize& size, Layout& layout) {
  SamplerState state = {};
  state.vocab_size = size.vocab_size;
  state.mark_stride = (int64_t{size.vocab_size} + 7) / 8 * 8;
  state.sampling = layout.Array<sampling::SlotSampling>(size.slots);
  state.rules = layout.Array<sampling::TokenRule>(int64_t{size.slots} * sampling::kMaxTokenRules);
  state.marks = layout.Array<uint16_t>(size.slots * state.mark_stride);
  state.last_tokens = layout.Array<int32_t>(size.slots);
  state.best = layout.Array<unsigned long long>(size.max_rows);
  state.arrived = layout.Array<uint32_t>(size.max_rows);
  return state;
}

}  // namespace

size_t DeviceSampler::DeviceBytes(const Size& size) {
  Layout layout(nullptr);
  Lay(size, layout);
  return layout.bytes();
}

DeviceSampler::DeviceSampler(const Size& size)
    : size_(size), plain_(static_cast<size_t>(size.slots), false) {}

DeviceSampler::~DeviceSampler() { cudaFree(memory_); }

cudaError_t DeviceSampler::Create(const Size& size, std::unique_ptr<DeviceSampler>* sampler) {
  if (size.slots <= 0 || size.max_rows <= 0 || size.max_tokens <= 0 || size.vocab_size <= 0 ||
      size.vocab_size > sampling::kMaxVocabulary) {
    return cudaErrorInvalidValue;
  }
  std::unique_ptr<DeviceSampler> created(new DeviceSampler(size));
  const cudaError_t error = created->Allocate();
  if (error == cudaSuccess) {
    *sampler = std::move(created);
  }
  return error;
}

cudaError_t DeviceSampler::Allocate() {
  const size_t bytes = DeviceBytes(size_);
  if (const cudaError_t error = cudaMalloc(&memory_, bytes); error != cudaSuccess) {
    return error;
  }
  Layout layout(memory_);
  state_ = Lay(size_, layout);
  if (const cudaError_t error = cudaMemset(memory_, 0, bytes); error != cudaSuccess) {
    return error;
  }
  // The stream may be one that does not wait for the default stream.
  if (const cudaError_t error = cudaDeviceSynchronize(); error != cudaSuccess) {
    return error;
  }
  const size_t largest = RuleBytes(sampling::kMaxTokenRules) + TokenBytes(size_.max_tokens);
  return staging_.Allocate(std::max(kMinStaging, 2 * largest));
}

bool DeviceSampler::AreValid(const sampling::SlotSampling& sampling,
                             const sampling::TokenRule* rules, const int32_t* tokens,
                             int32_t token_count) const {
  if (sampling.rules < 0 || sampling.rules > sampling::kMaxTokenRules || token_count < 0 ||
      token_count > size_.max_tokens || sampling.top_logprobs > TERMINUS_MAX_TOP_LOGPROBS) {
    return false;
  }
  const auto known = [&](int32_t token) { return token >= 0 && token < size_.vocab_size; };
  for (int32_t i = 0; i < sampling.rules; ++i) {
    if (!known(rules[i].token) || (i > 0 && rules[i].token <= rules[i - 1].token)) {
      return false;
    }
  }
  return std::all_of(tokens, tokens + token_count, known);
}

cudaError_t DeviceSampler::OpenSlot(int32_t slot, const sampling::SlotSampling& sampling,
                                    const sampling::TokenRule* rules, const int32_t* tokens,
                                    int32_t token_count, cudaStream_t stream) {
  if (slot < 0 || slot >= size_.slots || !AreValid(sampling, rules, tokens, token_count)) {
    return cudaErrorInvalidValue;
  }
  plain_[static_cast<size_t>(slot)] = sampling::IsPlain(sampling);
  const int32_t marked = LooksBack(sampling) ? token_count : 0;
  const size_t rule_bytes = RuleBytes(sampling.rules);
  const size_t bytes = rule_bytes + TokenBytes(marked);
  if (bytes == 0) {
    return LaunchOpenSlot(state_, slot, sampling, nullptr, nullptr, 0, stream);
  }
  void* staged = nullptr;
  if (const cudaError_t error = staging_.Reserve(bytes, &staged); error != cudaSuccess) {
    return error;
  }
  char* const staged_tokens = static_cast<char*>(staged) + rule_bytes;
  if (rule_bytes > 0) {
    std::memcpy(staged, rules, rule_bytes);
  }
  if (marked > 0) {
    std::memcpy(staged_tokens, tokens, TokenBytes(marked));
  }
  if (const cudaError_t error =
          LaunchOpenSlot(state_, slot, sampling, static_cast<const sampling::TokenRule*>(staged),
                         reinterpret_cast<const int32_t*>(staged_tokens), marked, stream);
      error != cudaSuccess) {
    return error;
  }
  return staging_.Commit(stream);
}

cudaError_t DeviceSampler::Sample(const TerminusSamplingCall& call, cudaStream_t stream) {
  if (call.row_count < 0 || call.row_count > size_.max_rows) {
    return cudaErrorInvalidValue;
  }
  if (call.row_count == 0) {
    return cudaSuccess;
  }
  return call.plain ? LaunchGreedyRows(state_, call, stream)
                    : LaunchSampleRows(state_, call, stream);
}

}  // namespace terminus::models::cuda
