// Times the sampling of one step's rows on a GPU, and prints microseconds a step.
//
// usage: sampling_bench [VOCABULARY]

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/check.h"
#include "common/gpu/device_array.h"
#include "common/gpu/library.h"
#include "models/cuda/sampling/sampling_api.h"
#include "models/sampling/device_rules.h"

namespace {

using terminus::gpu::DeviceArray;
using terminus::models::sampling::Parameters;

constexpr int32_t kRows = 256;
constexpr int32_t kPrompt = 512;
constexpr int kWarmUp = 20;
constexpr int kSteps = 200;

struct Workload {
  const char* name;
  int32_t rows;
  Parameters parameters;
};

Parameters Greedy() {
  Parameters parameters;
  parameters.temperature = 0;
  return parameters;
}

Parameters Nucleus(uint32_t top_k) {
  Parameters parameters;
  parameters.temperature = 0.8f;
  parameters.top_k = top_k;
  parameters.top_p = 0.9f;
  return parameters;
}

Parameters Everything() {
  Parameters parameters = Nucleus(50);
  parameters.repetition_penalty = 1.1f;
  parameters.frequency_penalty = 0.2f;
  parameters.presence_penalty = 0.1f;
  return parameters;
}

Parameters WithLogprobs(Parameters parameters) {
  parameters.top_logprobs = 5;
  return parameters;
}

class Bench {
 public:
  explicit Bench(int32_t vocab)
      : vocab_(vocab),
        gpu_(*terminus::gpu::LoadLibrary()),
        api_(*terminus::gpu::FindTableAs<TerminusSamplingApi>("terminus_sampling_api",
                                                              TERMINUS_SAMPLING_API_VERSION)),
        logits_(gpu_, static_cast<size_t>(kRows) * static_cast<size_t>(vocab)),
        rows_(gpu_, kRows),
        results_(gpu_, kRows),
        top_(gpu_, size_t{kRows} * TERMINUS_MAX_TOP_LOGPROBS) {
    TERMINUS_CHECK(gpu_->create_stream(&stream_) == 0);
    const TerminusSamplerSize size = {kRows, vocab, kRows, kPrompt};
    TERMINUS_CHECK(api_->create(&size, &sampler_) == 0);
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> logits(static_cast<size_t>(kRows) * static_cast<size_t>(vocab));
    for (float& logit : logits) {
      logit = normal(random);
    }
    logits_.Write(logits, stream_);
    for (int32_t i = 0; i < kPrompt; ++i) {
      prompt_.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(vocab)));
    }
    std::vector<TerminusSamplingRow> rows;
    for (int32_t i = 0; i < kRows; ++i) {
      rows.push_back({i, i, kPrompt, -1});
    }
    rows_.Write(rows, stream_);
  }

  ~Bench() {
    api_->destroy(sampler_);
    gpu_->destroy_stream(stream_);
  }

  void Run(const Workload& workload) {
    const auto device =
        terminus::models::sampling::MakeDeviceSampling(workload.parameters, {}, kPrompt / 2);
    for (int32_t slot = 0; slot < workload.rows; ++slot) {
      TERMINUS_CHECK(api_->open_slot(sampler_, slot, &device.slot, device.rules.data(),
                                     prompt_.data(), kPrompt, stream_) == 0);
    }
    const TerminusSamplingCall call = {.logits = logits_.data(),
                                       .row_stride = vocab_,
                                       .rows = rows_.data(),
                                       .row_count = workload.rows,
                                       .masks = nullptr,
                                       .results = results_.data(),
                                       .top = top_.data(),
                                       .plain = IsPlain(device.slot)};
    Steps(call, kWarmUp);
    const absl::Time start = absl::Now();
    Steps(call, kSteps);
    std::printf("%-28s rows %3d  %8.2f us\n", workload.name, workload.rows,
                absl::ToDoubleMicroseconds(absl::Now() - start) / kSteps);
  }

 private:
  void Steps(const TerminusSamplingCall& call, int count) {
    for (int i = 0; i < count; ++i) {
      TERMINUS_CHECK(api_->sample(sampler_, &call, stream_) == 0);
    }
    TERMINUS_CHECK(gpu_->wait_stream(stream_) == 0);
  }

  const int32_t vocab_;
  const TerminusGpuApi* gpu_;
  const TerminusSamplingApi* api_;
  void* stream_ = nullptr;
  TerminusSampler* sampler_ = nullptr;
  DeviceArray<float> logits_;
  DeviceArray<TerminusSamplingRow> rows_;
  DeviceArray<TerminusSamplingResult> results_;
  DeviceArray<TerminusTopLogprob> top_;
  std::vector<int32_t> prompt_;
};

}  // namespace

int main(int argc, char** argv) {
  if (const auto device = terminus::gpu::FindDevice(0); !device.ok()) {
    std::fprintf(stderr, "%s\n", device.status().ToString().c_str());
    return 1;
  }
  Bench bench(argc > 1 ? std::atoi(argv[1]) : 128'256);
  const Parameters sampled;
  for (const Workload& workload :
       {Workload{"greedy", 1, Greedy()}, Workload{"greedy", 64, Greedy()},
        Workload{"greedy", 256, Greedy()}, Workload{"temperature", 1, sampled},
        Workload{"temperature", 256, sampled}, Workload{"top-k 50, top-p 0.9", 1, Nucleus(50)},
        Workload{"top-k 50, top-p 0.9", 256, Nucleus(50)},
        Workload{"top-p 0.9 alone", 1, Nucleus(0)}, Workload{"top-p 0.9 alone", 256, Nucleus(0)},
        Workload{"all, with penalties", 1, Everything()},
        Workload{"all, with penalties", 64, Everything()},
        Workload{"all, with penalties", 256, Everything()},
        Workload{"greedy, 5 logprobs", 256, WithLogprobs(Greedy())}}) {
    bench.Run(workload);
  }
  return 0;
}
