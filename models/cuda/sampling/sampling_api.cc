#include "models/cuda/sampling/sampling_api.h"

#include "models/cuda/sampling/device_sampler.h"

struct TerminusSampler {
  std::unique_ptr<terminus::models::cuda::DeviceSampler> sampler;
};

namespace {

namespace sampling = terminus::models::sampling;
using terminus::models::cuda::DeviceSampler;

int Create(const TerminusSamplerSize* size, TerminusSampler** sampler) {
  std::unique_ptr<DeviceSampler> created;
  if (const cudaError_t error = DeviceSampler::Create(*size, &created); error != cudaSuccess) {
    return error;
  }
  *sampler = new TerminusSampler{std::move(created)};
  return cudaSuccess;
}

void Destroy(TerminusSampler* sampler) { delete sampler; }

int OpenSlot(TerminusSampler* sampler, int32_t slot, const sampling::SlotSampling* slot_sampling,
             const sampling::TokenRule* rules, const int32_t* tokens, int32_t token_count,
             void* stream) {
  return sampler->sampler->OpenSlot(slot, *slot_sampling, rules, tokens, token_count,
                                    static_cast<cudaStream_t>(stream));
}

int Sample(TerminusSampler* sampler, const TerminusSamplingCall* call, void* stream) {
  return sampler->sampler->Sample(*call, static_cast<cudaStream_t>(stream));
}

const int32_t* LastTokens(TerminusSampler* sampler) { return sampler->sampler->last_tokens(); }

constexpr TerminusSamplingApi kApi = {
    TERMINUS_SAMPLING_API_VERSION, Create, Destroy, OpenSlot, Sample, LastTokens};

}  // namespace

const TerminusSamplingApi* terminus_sampling_api() { return &kApi; }
