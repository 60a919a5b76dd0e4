#include "services/decoder/testing/thread_stage.h"

#include <exception>
#include <utility>

namespace terminus::services::decoder::testing {

ThreadStage::ThreadStage(std::unique_ptr<models::decoder::StepRunner> runner,
                         models::sampling::LogitRules rules, OnResult on_result)
    : loop_(std::move(runner), std::move(rules), CatchExceptions, std::move(on_result)),
      thread_([this] { loop_.Run(); }) {}

ThreadStage::~ThreadStage() {
  loop_.Close();
  thread_.join();
}

absl::Status CatchExceptions(absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

pipeline::StageFactory ToyStage(const ToyLm::Options& model,
                                const models::decoder::LmRunner::Options& runner,
                                const models::sampling::LogitRules& rules) {
  return [=](pipeline::Stage::OnResult on_result) {
    return std::make_unique<ThreadStage>(
        std::make_unique<models::decoder::LmRunner>(std::make_unique<ToyLm>(model), rules, runner),
        rules, std::move(on_result));
  };
}

}  // namespace terminus::services::decoder::testing
