#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "common/executor/device_thread.h"
#include "services/decoder/pipeline/engine_metrics.h"
#include "services/decoder/pipeline/generation.h"
#include "services/decoder/pipeline/sequences.h"
#include "services/decoder/pipeline/stage.h"

namespace terminus::services::decoder::pipeline {

// Generates, many prompts together, token by token. One thread owns the sequences and plans the
// steps, another, the device's, executes them; all else sends messages to the first. Thread-safe.
//
// How many generations are inside is for the caller to bound.
class Engine {
 public:
  struct Options {
    scheduler::StepLimits limits;
    std::vector<int32_t> eos_token_ids;
  };

  Engine(Options options, std::unique_ptr<Stage> stage, EngineMetrics& metrics);
  // Ends what is under way with UNAVAILABLE.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Tokens of the longest sequence, prompt and answer together: the model's, or as many as there
  // are KV blocks for.
  int max_context() const { return max_context_; }
  int max_sequences() const { return max_sequences_; }

  // Queues a generation; its sink is told all else. The prompt's ids are the model's.
  uint64_t Submit(Generation generation);

  // Each takes effect at the next step boundary, and is without effect when the generation, or the
  // choice, has ended already. Cancel ends it with CANCELLED.
  void Cancel(uint64_t id);
  void Stop(uint64_t id, int choice);

  // A sink that was full is not any more.
  void Wake();

 private:
  void Post(std::function<void()> message);
  void Run();
  void StartStep();
  void ExecuteStep(const std::string& plan, int tokens);

  const int max_sequences_;
  const int max_context_;
  EngineMetrics& metrics_;
  const std::unique_ptr<Stage> stage_;

  // Both belong to the thread that plans.
  Sequences sequences_;
  bool step_under_way_ = false;

  base::Mutex mutex_;
  base::CondVar changed_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::function<void()>> inbox_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  // Last: they use all of the above until they are joined.
  executor::DeviceThread device_;
  std::thread thread_;
};

}  // namespace terminus::services::decoder::pipeline
