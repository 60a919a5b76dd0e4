#include "services/decoder/pipeline/engine_fixture.h"

#include <thread>
#include <utility>

#include "absl/time/clock.h"

namespace terminus::services::decoder::pipeline {

std::vector<int32_t> Prompt(int from, int count) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    tokens[static_cast<size_t>(i)] = (from + i) % 60;
  }
  return tokens;
}

void EngineTest::Start(const ToyLm::Options& model, const scheduler::StepLimits& limits,
                       const models::sampling::LogitRules& rules) {
  model_ = model;
  StartWith(
      decoder::testing::ToyStage(
          model, {.slots = slots_, .max_tokens = 1024, .steps_in_flight = steps_in_flight_}, rules),
      limits);
}

void EngineTest::StartWith(const StageFactory& stage, const scheduler::StepLimits& limits) {
  std::vector<int32_t> eos;
  if (model_.eos_token >= 0) {
    eos.push_back(model_.eos_token);
  }
  engine_ = std::make_unique<Engine>(
      Engine::Options{.limits = limits, .eos_token_ids = eos, .clock = &clock_}, stage, metrics_);
}

Generation EngineTest::Ask(const std::shared_ptr<Collector>& sink, std::vector<int32_t> prompt,
                           int max_tokens, float temperature) {
  Generation generation;
  generation.prompt = std::move(prompt);
  generation.sampling = {.temperature = temperature, .seed = 11};
  generation.max_tokens = max_tokens;
  generation.arrival = clock_.Now();
  generation.sink = sink;
  return generation;
}

void EngineTest::Settle() {
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, {1}, 1));
  ASSERT_TRUE(sink->Wait().ok());
}

double EngineTest::Value(const std::string& metric) {
  const std::string text = "\n" + registry_.Scrape();
  const size_t at = text.find("\n" + metric + " ");
  EXPECT_NE(at, std::string::npos) << metric;
  return at == std::string::npos ? -1 : std::stod(text.substr(at + metric.size() + 2));
}

void EngineTest::ExpectSoon(const std::string& metric, double value) {
  const absl::Time patience = absl::Now() + absl::Seconds(30);
  while (Value(metric) != value && absl::Now() < patience) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Value(metric), value) << metric;
}

}  // namespace terminus::services::decoder::pipeline
