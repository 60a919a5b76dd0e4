#include "models/decoder/cuda/llama_api.h"

#include <cstdio>
#include <exception>

#include "models/decoder/cuda/engine.h"

namespace {

using terminus::models::decoder::cuda::Engine;

Engine* Of(TerminusLlama* engine) { return reinterpret_cast<Engine*>(engine); }
const Engine* Of(const TerminusLlama* engine) { return reinterpret_cast<const Engine*>(engine); }

template <class Function>
int Guard(char* error, uint64_t size, const Function& function) {
  try {
    function();
    return 0;
  } catch (const std::exception& exception) {
    std::snprintf(error, size, "%s", exception.what());
    return -1;
  }
}

int Create(const TerminusLlamaModel* model, const TerminusLlamaLimits* limits,
           TerminusLlama** engine, char* error, uint64_t size) {
  return Guard(error, size,
               [&] { *engine = reinterpret_cast<TerminusLlama*>(new Engine(*model, *limits)); });
}

void Destroy(TerminusLlama* engine) { delete Of(engine); }

TerminusLlamaMemory Memory(const TerminusLlama* engine) { return Of(engine)->memory(); }

int Forward(TerminusLlama* engine, const TerminusLlamaStep* step, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->Forward(*step); });
}

int OpenSlot(TerminusLlama* engine, int32_t slot,
             const terminus::models::sampling::SlotSampling* sampling,
             const terminus::models::sampling::TokenRule* rules, const int32_t* tokens,
             int32_t token_count, char* error, uint64_t size) {
  return Guard(error, size,
               [&] { Of(engine)->OpenSlot(slot, *sampling, rules, tokens, token_count); });
}

int Sample(TerminusLlama* engine, const TerminusSamplingRow* rows, int32_t count,
           const uint32_t* masks, int32_t mask_count, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->Sample(rows, count, masks, mask_count); });
}

int EndStep(TerminusLlama* engine, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->EndStep(); });
}

int Wait(TerminusLlama* engine, TerminusLlamaResults* results, char* error, uint64_t size) {
  return Guard(error, size, [&] { *results = Of(engine)->Wait(); });
}

int CopyLogits(TerminusLlama* engine, int32_t row, float* logits, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->CopyLogits(row, logits); });
}

int SetToken(TerminusLlama* engine, int32_t slot, int32_t token, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->SetToken(slot, token); });
}

constexpr TerminusLlamaApi kApi = {
    .version = TERMINUS_LLAMA_API_VERSION,
    .create = Create,
    .destroy = Destroy,
    .memory = Memory,
    .forward = Forward,
    .open_slot = OpenSlot,
    .sample = Sample,
    .end_step = EndStep,
    .wait = Wait,
    .copy_logits = CopyLogits,
    .set_token = SetToken,
};

}  // namespace

const TerminusLlamaApi* terminus_llama_api() { return &kApi; }
