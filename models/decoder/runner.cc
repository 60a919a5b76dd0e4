#include "models/decoder/runner.h"

#include <utility>

#include "models/decoder/cuda_llama.h"

namespace terminus::models::decoder {

std::unique_ptr<StepRunner> MakeRunner(std::unique_ptr<CausalLm> lm, sampling::LogitRules rules,
                                       LmRunner::Options options) {
  if (auto* engine = dynamic_cast<CudaLlama*>(lm.get()); engine != nullptr) {
    lm.release();
    engine->SetRules(std::move(rules));
    return std::unique_ptr<StepRunner>(engine);
  }
  return std::make_unique<LmRunner>(std::move(lm), std::move(rules), std::move(options));
}

}  // namespace terminus::models::decoder
