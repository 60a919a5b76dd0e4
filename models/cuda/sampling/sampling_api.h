#pragma once

#include <cstdint>

#include "models/sampling/slot_sampling.h"

// Sampling on the device, as plain C: the structs that kernels and callers share, and the table by
// which programs outside of libterminus_cuda.so use it.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_SAMPLING_API_VERSION 1

#define TERMINUS_MAX_TOP_LOGPROBS 20

// What a sampler has room for.
struct TerminusSamplerSize {
  int32_t slots;
  int32_t vocab_size;
  int32_t max_rows;    // Of one call of sample.
  int32_t max_tokens;  // Of one sequence, prompt and answer.
};

// A row of logits to sample from.
struct TerminusSamplingRow {
  int32_t row;
  // -1: the row is padding; nothing of it is read or written.
  int32_t slot;
  // The slot's sequence has `length` tokens; the draw is for that position.
  int32_t length;
  // Of the row's mask in `masks`, in masks; -1: all tokens are allowed.
  int32_t mask;
};

enum TerminusSamplingFlags {
  // The model's logits are not all finite.
  TERMINUS_SAMPLING_NOT_FINITE = 1,
  // Rules, parameters and mask leave no token, or make one infinitely likely.
  TERMINUS_SAMPLING_NO_TOKEN = 2,
};

struct TerminusSamplingResult {
  int32_t token;   // 0 where flags are set.
  uint32_t flags;  // Of TerminusSamplingFlags.
  float logprob;   // 0 when none was asked for.
  int32_t top;     // How many of the row's top logprobs are written.
};

struct TerminusTopLogprob {
  int32_t token;
  float logprob;
};

// One call of sample. All pointers are to memory that the device reads and writes: its own, or the
// host's that is pinned.
struct TerminusSamplingCall {
  const float* logits;  // [.., row_stride]
  int64_t row_stride;
  const TerminusSamplingRow* rows;  // [row_count], each slot at most once.
  int32_t row_count;
  // [masks, (vocab_size + 31) / 32]: a bit for each token that is allowed, lowest first. May be
  // null where no row has a mask.
  const uint32_t* masks;
  TerminusSamplingResult* results;  // [row_count]
  // [row_count, TERMINUS_MAX_TOP_LOGPROBS], likeliest first. May be null where no slot asks for
  // more than the chosen token's logprob.
  TerminusTopLogprob* top;
  // Every row's slot is plain, and no row has a mask: takes the fast way.
  bool plain;
};

typedef struct TerminusSampler TerminusSampler;

struct TerminusSamplingApi {
  int version;
  // Functions return a cudaError_t, 0 for success. Streams are cudaStream_t. What each does, and
  // what must hold before: device_sampler.h.
  int (*create)(const TerminusSamplerSize* size, TerminusSampler** sampler);
  void (*destroy)(TerminusSampler* sampler);
  int (*open_slot)(TerminusSampler* sampler, int32_t slot,
                   const terminus::models::sampling::SlotSampling* sampling,
                   const terminus::models::sampling::TokenRule* rules, const int32_t* tokens,
                   int32_t token_count, void* stream);
  int (*sample)(TerminusSampler* sampler, const TerminusSamplingCall* call, void* stream);
  // [slots] on the device: the token last sampled in each slot.
  const int32_t* (*last_tokens)(TerminusSampler* sampler);
};

const TerminusSamplingApi* terminus_sampling_api();
}
