#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/cuda/sampling/pinned_ring.h"
#include "models/cuda/sampling/sampler_state.h"

namespace terminus::models::cuda {

// Samples tokens on the device as sampling::Sample does on the host: the same tokens from the same
// logits, bit for bit. Owns what the device keeps by slot: sampling parameters, token rules, the
// marks of the tokens so far, and the last sampled token.
//
// Used by one thread at a time, with one device and one stream: calls take effect in the order of
// the stream. Errors are those of CUDA; cudaErrorInvalidValue also where arguments are out of
// bounds, and then nothing was put into the stream.
class DeviceSampler {
 public:
  using Size = TerminusSamplerSize;

  // Of the device's memory, by a sampler of this size.
  static size_t DeviceBytes(const Size& size);

  // Allocates all that the sampler ever needs. Requires: sizes above 0, and a vocabulary of at most
  // sampling::kMaxVocabulary.
  static cudaError_t Create(const Size& size, std::unique_ptr<DeviceSampler>* sampler);

  // Requires: the stream is done.
  ~DeviceSampler();

  // Binds a sequence to a slot, and forgets the one before. `rules` are sampling.rules many, by
  // ascending token. `tokens` are those of prompt and answer so far; there may be none where
  // LooksBack(sampling) is false. Reads its arguments before it returns. Blocks only while the
  // tokens and rules of earlier calls, 8 MiB at least, wait for the device.
  cudaError_t OpenSlot(int32_t slot, const sampling::SlotSampling& sampling,
                       const sampling::TokenRule* rules, const int32_t* tokens, int32_t token_count,
                       cudaStream_t stream);

  // Whether the likeliest token is all that the slot's sequence asks for.
  bool IsPlain(int32_t slot) const { return plain_[static_cast<size_t>(slot)]; }

  // Samples a token for each row, see TerminusSamplingCall; each counts for its slot's penalties
  // and is the slot's last token from then on. Launches one kernel and nothing else, so that it may
  // be captured in a CUDA graph. Requires: the rows' slots were opened.
  cudaError_t Sample(const TerminusSamplingCall& call, cudaStream_t stream);

  // [slots] on the device. The caller may write, in the stream's order, those of slots that it
  // samples on the host.
  int32_t* last_tokens() const { return state_.last_tokens; }

 private:
  explicit DeviceSampler(const Size& size);

  cudaError_t Allocate();
  bool AreValid(const sampling::SlotSampling& sampling, const sampling::TokenRule* rules,
                const int32_t* tokens, int32_t token_count) const;

  const Size size_;
  void* memory_ = nullptr;  // All of state_'s arrays.
  SamplerState state_ = {};
  PinnedRing staging_;
  std::vector<bool> plain_;
};

}  // namespace terminus::models::cuda
