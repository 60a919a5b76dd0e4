#include "models/cuda/sampling/comparison.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <sstream>
#include <thread>

#include "common/base/check.h"
#include "common/gpu/library.h"

namespace terminus::models::cuda {
namespace {

using sampling::Parameters;
using sampling::Sampled;
using Random = std::mt19937;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class Value>
Value OneOf(const std::vector<Value>& values, Random& random) {
  return values[random() % values.size()];
}

// Rows of logits of several kinds: spread like those of models, with many ties, all equal, far
// apart.
std::vector<float> MakeLogits(int32_t vocab, Random& random) {
  std::vector<float> logits;
  logits.reserve(static_cast<size_t>(SamplingComparison::kRows) * static_cast<size_t>(vocab));
  std::normal_distribution<float> normal;
  for (int32_t row = 0; row < SamplingComparison::kRows; ++row) {
    for (int32_t i = 0; i < vocab; ++i) {
      const float x = normal(random);
      const float kinds[] = {3 * x,
                             10 * x,
                             0.1f * x,
                             std::round(2 * x) / 2,
                             row % 2 == 0 ? 0.0f : -0.0f,
                             1e30f * x,
                             i % 97 == 0 ? 9 + x : x,
                             std::copysign(0.0f, x)};
      logits.push_back(kinds[row % 8]);
    }
  }
  return logits;
}

// Masks of fewer and fewer tokens; the last has one.
std::vector<uint32_t> MakeMasks(int32_t vocab, Random& random) {
  const auto words = static_cast<size_t>((vocab + 31) / 32);
  std::vector<uint32_t> masks(SamplingComparison::kMasks * words, 0);
  for (size_t mask = 0; mask < SamplingComparison::kMasks; ++mask) {
    const auto allowed = static_cast<uint32_t>(vocab) >> (3 * mask);
    for (uint32_t i = 0; i < (mask + 1 == SamplingComparison::kMasks ? 1 : allowed); ++i) {
      const uint32_t token = random() % static_cast<uint32_t>(vocab);
      masks[mask * words + token / 32] |= 1u << (token % 32);
    }
  }
  return masks;
}

std::string Describe(const Trial& trial, const TerminusSamplingResult& device,
                     const absl::StatusOr<Sampled>& host) {
  const Parameters& p = trial.parameters;
  std::ostringstream text;
  text << "row " << trial.row << " mask " << trial.mask << " tokens " << trial.tokens.size()
       << " prompt " << trial.prompt_length << " temperature " << p.temperature << " top_k "
       << p.top_k << " top_p " << p.top_p << " min_p " << p.min_p << " penalties "
       << p.repetition_penalty << " " << p.frequency_penalty << " " << p.presence_penalty
       << " biases " << p.logit_bias.size() << " min_tokens " << p.min_tokens << " top_logprobs "
       << p.top_logprobs << ": device " << device.token << " (" << device.logprob << "), flags "
       << device.flags << "; host ";
  if (host.ok()) {
    text << host->chosen.token << " (" << host->chosen.logprob << ")";
  } else {
    text << host.status();
  }
  return text.str();
}

}  // namespace

SamplingComparison::SamplingComparison(int32_t vocab, uint32_t seed)
    : vocab_(vocab),
      gpu_(*gpu::LoadLibrary()),
      api_(*gpu::FindTableAs<TerminusSamplingApi>("terminus_sampling_api",
                                                  TERMINUS_SAMPLING_API_VERSION)),
      random_(seed),
      logits_(MakeLogits(vocab, random_)),
      masks_(MakeMasks(vocab, random_)),
      device_logits_(gpu_, logits_.size()),
      device_masks_(gpu_, masks_.size()),
      device_rows_(gpu_, kSlots),
      device_results_(gpu_, kSlots),
      device_top_(gpu_, size_t{kSlots} * TERMINUS_MAX_TOP_LOGPROBS) {
  TERMINUS_CHECK(gpu_->create_stream(&stream_) == 0);
  const TerminusSamplerSize size = {kSlots, vocab, kSlots, kMaxTokens};
  TERMINUS_CHECK(api_->create(&size, &sampler_) == 0);
  UploadLogits();
  device_masks_.Write(masks_, stream_);
}

SamplingComparison::~SamplingComparison() {
  gpu_->wait_stream(stream_);
  api_->destroy(sampler_);
  gpu_->destroy_stream(stream_);
}

float& SamplingComparison::logit(int32_t row, int32_t token) {
  return logits_[static_cast<size_t>(row) * static_cast<size_t>(vocab_) +
                 static_cast<size_t>(token)];
}

Trial SamplingComparison::RandomTrial() {
  const auto size = static_cast<uint32_t>(vocab_);
  const auto token = [&] { return static_cast<int32_t>(random_() % size); };
  Trial trial;
  trial.row = static_cast<int32_t>(random_() % kRows);
  trial.mask = random_() % 4 == 0 ? static_cast<int32_t>(random_() % kMasks) : -1;
  trial.tokens.clear();
  const std::vector<int32_t> frequent = {token(), token(), token()};
  for (auto left = 1 + random_() % 60; left > 0; --left) {
    trial.tokens.push_back(random_() % 3 == 0 ? OneOf(frequent, random_) : token());
  }
  trial.prompt_length = 1 + static_cast<int32_t>(random_() % trial.tokens.size());
  Parameters& parameters = trial.parameters;
  parameters = {
      .temperature = OneOf<float>({0, 0.05f, 0.7f, 1, 1, 2, 50}, random_),
      .top_k = OneOf<uint32_t>({0, 0, 1, 2, 50, 50, 384, 385, 700, size - 1, size}, random_),
      .top_p = OneOf<float>({0, 0.1f, 0.9f, 0.95f, 0.999f, 1, 1, 1}, random_),
      .min_p = OneOf<float>({0, 0, 0, 0.05f, 0.5f, 1}, random_),
      .repetition_penalty = OneOf<float>({1, 1, 1.2f, 0.7f}, random_),
      .frequency_penalty = OneOf<float>({0, 0, 0.5f, -1}, random_),
      .presence_penalty = OneOf<float>({0, 0, 1.5f, -0.3f}, random_),
      .min_tokens = OneOf<int32_t>({0, 0, 5, 1 << 30}, random_),
      .seed = random_(),
      .choice = static_cast<uint32_t>(random_() % 8),
      .top_logprobs = OneOf<int32_t>({-1, -1, -1, -1, -1, 0, 5, 20}, random_)};
  std::vector<int32_t> biased = {token(), token(), OneOf(frequent, random_)};
  std::sort(biased.begin(), biased.end());
  biased.erase(std::unique(biased.begin(), biased.end()), biased.end());
  if (random_() % 3 == 0) {
    for (const int32_t one : biased) {
      parameters.logit_bias.push_back({one, OneOf<float>({100, 2.5f, -100}, random_)});
    }
  }
  trial.rules.eos_token_ids = {token(), 0};
  if (random_() % 4 == 0) {
    trial.rules.sequence_bias = {{{biased[0]}, 1.25f}, {{token()}, 20}, {{biased[0]}, 0.1f}};
    trial.rules.suppress_tokens = {token(), biased.back()};
    trial.rules.begin_suppress_tokens = {token()};
    trial.rules.bad_words = {{{token()}, -kInfinity}};
    trial.rules.min_length = OneOf<int>({0, 30}, random_);
  }
  return trial;
}

void SamplingComparison::Open(int32_t slot, const Trial& trial) {
  const sampling::DeviceSampling device =
      sampling::MakeDeviceSampling(trial.parameters, trial.rules, trial.prompt_length);
  TERMINUS_CHECK(api_->open_slot(sampler_, slot, &device.slot, device.rules.data(),
                                 trial.tokens.data(), static_cast<int32_t>(trial.tokens.size()),
                                 stream_) == 0);
}

void SamplingComparison::SampleOnDevice(const std::vector<Trial>& trials, bool plain,
                                        int32_t padding) {
  std::vector<TerminusSamplingRow> rows;
  for (const Trial& trial : trials) {
    rows.push_back({trial.row, static_cast<int32_t>(rows.size()),
                    static_cast<int32_t>(trial.tokens.size()), trial.mask});
  }
  // Nothing of a row of no slot is valid.
  rows.resize(rows.size() + static_cast<size_t>(padding), {1 << 30, -1, 0, 1 << 30});
  device_rows_.Write(rows, stream_);
  const TerminusSamplingCall call = {.logits = device_logits_.data(),
                                     .row_stride = vocab_,
                                     .rows = device_rows_.data(),
                                     .row_count = static_cast<int32_t>(rows.size()),
                                     .masks = device_masks_.data(),
                                     .results = device_results_.data(),
                                     .top = device_top_.data(),
                                     .plain = plain};
  TERMINUS_CHECK(api_->sample(sampler_, &call, stream_) == 0);
  results_ = device_results_.Read(stream_);
  top_ = device_top_.Read(stream_);
}

std::vector<int32_t> SamplingComparison::LastTokens() const {
  std::vector<int32_t> tokens(kSlots);
  TERMINUS_CHECK(gpu_->copy(tokens.data(), api_->last_tokens(sampler_),
                            tokens.size() * sizeof(int32_t), stream_) == 0);
  TERMINUS_CHECK(gpu_->wait_stream(stream_) == 0);
  return tokens;
}

absl::StatusOr<Sampled> SamplingComparison::SampleOnHost(const Trial& trial) const {
  const auto width = static_cast<size_t>(vocab_);
  const size_t words = (width + 31) / 32;
  const auto length = static_cast<int>(trial.tokens.size());
  return sampling::Sample(
      absl::MakeConstSpan(logits_).subspan(static_cast<size_t>(trial.row) * width, width),
      trial.parameters, static_cast<uint64_t>(length), trial.rules,
      {.tokens = trial.tokens, .length = length, .prompt_length = trial.prompt_length},
      trial.mask < 0 ? nullptr : masks_.data() + static_cast<size_t>(trial.mask) * words);
}

bool SamplingComparison::Equals(size_t row, const absl::StatusOr<Sampled>& host) const {
  const TerminusSamplingResult& device = results_[row];
  if (!host.ok()) {
    const uint32_t flag = host.status().code() == absl::StatusCode::kInternal
                              ? TERMINUS_SAMPLING_NOT_FINITE
                              : TERMINUS_SAMPLING_NO_TOKEN;
    return device.flags == flag && device.token == sampling::kFallbackToken;
  }
  const auto near = [](float a, float b) { return std::abs(a - b) <= 1e-6f * (1 + std::abs(b)); };
  if (device.flags != 0 || device.token != host->chosen.token ||
      !near(device.logprob, host->chosen.logprob) ||
      static_cast<size_t>(device.top) != host->top.size()) {
    return false;
  }
  for (size_t i = 0; i < host->top.size(); ++i) {
    const TerminusTopLogprob& top = top_[row * TERMINUS_MAX_TOP_LOGPROBS + i];
    if (top.token != host->top[i].token || !near(top.logprob, host->top[i].logprob)) {
      return false;
    }
  }
  return true;
}

std::vector<std::string> SamplingComparison::Differences(const std::vector<Trial>& trials) const {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::vector<std::string> differences;
  const auto work = [&] {
    for (size_t i = next++; i < trials.size(); i = next++) {
      const absl::StatusOr<Sampled> host = SampleOnHost(trials[i]);
      if (!Equals(i, host)) {
        const std::lock_guard lock(mutex);
        differences.push_back(Describe(trials[i], results_[i], host));
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back(work);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return differences;
}

}  // namespace terminus::models::cuda
