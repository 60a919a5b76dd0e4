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
  return Guard(error, size, [&] {
    *engine = reinterpret_cast<TerminusLlama*>(new Engine(*model, *limits));
  });
}

void Destroy(TerminusLlama* engine) { delete Of(engine); }

TerminusLlamaMemory Memory(const TerminusLlama* engine) { return Of(engine)->memory(); }

int Forward(TerminusLlama* engine, const TerminusLlamaStep* step, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->Forward(*step); });
}

int EndStep(TerminusLlama* engine, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->EndStep(); });
}

int Wait(TerminusLlama* engine, char* error, uint64_t size) {
  return Guard(error, size, [&] { Of(engine)->Wait(); });
}

const float* Logits(const TerminusLlama* engine) { return Of(engine)->logits(); }
const int32_t* LogitsRows(const TerminusLlama* engine) { return Of(engine)->logits_rows(); }
int32_t* LastTokens(const TerminusLlama* engine) { return Of(engine)->last_tokens(); }
void* StreamOf(const TerminusLlama* engine) { return Of(engine)->stream(); }

constexpr TerminusLlamaApi kApi = {
    .version = TERMINUS_LLAMA_API_VERSION,
    .create = Create,
    .destroy = Destroy,
    .memory = Memory,
    .forward = Forward,
    .end_step = EndStep,
    .wait = Wait,
    .logits = Logits,
    .logits_rows = LogitsRows,
    .last_tokens = LastTokens,
    .stream = StreamOf,
};

}  // namespace

const TerminusLlamaApi* terminus_llama_api() { return &kApi; }
