#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/gpu/device_array.h"
#include "models/cuda/sampling/sampling_api.h"
#include "models/sampling/device_rules.h"
#include "models/sampling/sampler.h"

// Sampling on the device beside sampling on the host, for tests.
namespace terminus::models::cuda {

// What one row is sampled with.
struct Trial {
  int32_t row = 0;
  int32_t mask = -1;
  int32_t prompt_length = 1;
  std::vector<int32_t> tokens = {0};
  sampling::Parameters parameters;
  sampling::LogitRules rules;
};

// One vocabulary: rows of logits and masks, the same on host and device, and a sampler.
// Requires: there is a GPU.
class SamplingComparison {
 public:
  static constexpr int32_t kSlots = 256;
  // Rows of logits of several kinds: spread like those of models, with many ties, all equal, far
  // apart.
  static constexpr int32_t kRows = 24;
  // Of fewer and fewer tokens; the last allows one.
  static constexpr int32_t kMasks = 6;
  static constexpr int32_t kMaxTokens = 512;

  SamplingComparison(int32_t vocab, uint32_t seed);
  ~SamplingComparison();

  // A logit on the host; the device has it after UploadLogits.
  float& logit(int32_t row, int32_t token);
  void UploadLogits() { device_logits_.Write(logits_, stream_); }

  Trial RandomTrial();

  void Open(int32_t slot, const Trial& trial);

  // Samples trial i in slot i; `padding` more rows follow, which are of no slot. `plain` takes the
  // fast way.
  void SampleOnDevice(const std::vector<Trial>& trials, bool plain, int32_t padding = 0);

  // Of the last call.
  const TerminusSamplingResult& result(size_t row) const { return results_[row]; }
  std::vector<int32_t> LastTokens() const;

  // The rows of the last call whose result is not the host's, each in words. Computed by several
  // threads.
  std::vector<std::string> Differences(const std::vector<Trial>& trials) const;

 private:
  absl::StatusOr<sampling::Sampled> SampleOnHost(const Trial& trial) const;
  bool Equals(size_t row, const absl::StatusOr<sampling::Sampled>& host) const;

  const int32_t vocab_;
  const TerminusGpuApi* gpu_;
  const TerminusSamplingApi* api_;
  std::mt19937 random_;
  void* stream_ = nullptr;
  TerminusSampler* sampler_ = nullptr;
  std::vector<float> logits_;
  std::vector<uint32_t> masks_;
  gpu::DeviceArray<float> device_logits_;
  gpu::DeviceArray<uint32_t> device_masks_;
  gpu::DeviceArray<TerminusSamplingRow> device_rows_;
  gpu::DeviceArray<TerminusSamplingResult> device_results_;
  gpu::DeviceArray<TerminusTopLogprob> device_top_;
  std::vector<TerminusSamplingResult> results_;
  std::vector<TerminusTopLogprob> top_;
};

}  // namespace terminus::models::cuda
