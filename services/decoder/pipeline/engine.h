#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/thread_pool.h"
#include "services/decoder/pipeline/engine_metrics.h"
#include "services/decoder/pipeline/generation.h"
#include "services/decoder/pipeline/sequences.h"
#include "services/decoder/pipeline/stage.h"
#include "services/decoder/pipeline/step_pacer.h"

namespace terminus::services::decoder::pipeline {

// Generates, many prompts together, token by token. One thread owns the sequences and plans the
// steps; the stage executes them, several in flight if it can; a few threads make masks for
// grammars. All else sends messages to the first thread. Thread-safe.
//
// How many generations are inside is for the caller to bound.
class Engine {
 public:
  struct Options {
    scheduler::StepLimits limits;
    std::vector<int32_t> eos_token_ids;
    // Threads that fill the masks of one step together.
    int mask_threads = 2;
    // Outlives the engine. A clock that is set, and does not run, needs a Wake once it is set.
    const base::Clock* clock = &base::RealClock::Get();
  };

  // Requires: the stage has at least limits.max_sequences slots, and takes limits.token_budget
  // tokens in a step.
  Engine(Options options, const StageFactory& make_stage, EngineMetrics& metrics);
  // Ends all active generations with UNAVAILABLE, and waits for the steps in flight.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Tokens of the longest sequence, prompt and answer together: the model's, or as many as there
  // are KV blocks for.
  int max_context() const { return max_context_; }
  int max_sequences() const { return max_sequences_; }

  // Queues a generation; its sink is told all else. The prompt's ids are the model's.
  uint64_t Submit(Generation generation);

  // Each takes effect before the next step is planned, and is without effect when the generation,
  // or the choice, has ended already. Cancel ends it with CANCELLED.
  void Cancel(uint64_t id);
  void Stop(uint64_t id, int choice);

  // A sink that was full is not any more.
  void Wake();

 private:
  void Post(std::function<void()> message);
  void Run();
  // Waits for messages, a Wake or a deadline, and takes the messages. Once the engine is closed, it
  // waits only if all generations have been `ended`, and returns false.
  bool Receive(bool ended, std::vector<std::function<void()>>& messages);
  void StartSteps();
  bool StartStep();
  void EndStep(const StepResult& result);
  void MakeMasks();
  // On a mask thread. Empty where any token will do: the sequence has ended, or ends by this.
  std::vector<uint32_t> MakeMask(const Sequences::MaskRow& row);

  const int max_sequences_;
  const base::Clock& clock_;
  EngineMetrics& metrics_;

  base::Mutex mutex_;
  base::CondVar changed_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::function<void()>> inbox_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  // Calls back into what is above.
  const std::unique_ptr<Stage> stage_;
  const int max_context_;

  struct PlannedStep {
    absl::Duration plan_time;
    StepPacer::Step step;
  };

  // These belong to the thread that plans. `step_begin_` is when the oldest step in flight had the
  // device for itself. `planned_` has the steps in flight, oldest first.
  Sequences sequences_;
  absl::Time step_begin_;
  bool making_masks_ = false;
  std::deque<PlannedStep> planned_;
  StepPacer pacer_;
  // When the next step is to be planned; InfiniteFuture: once something else happens.
  absl::Time plan_at_ = absl::InfiniteFuture();

  // Last: they use all of the above until they are joined.
  base::ThreadPool mask_pool_;
  std::thread thread_;
};

}  // namespace terminus::services::decoder::pipeline
