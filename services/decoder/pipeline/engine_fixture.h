#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/decoder/pipeline/engine.h"
#include "services/decoder/testing/thread_stage.h"

// Shared fixture of the engine's tests.
namespace terminus::services::decoder::pipeline {

using ToyLm = decoder::testing::ToyLm;

// Collects what a generation gives.
class Collector : public TokenSink {
 public:
  bool Full(int choice) const override {
    base::MutexLock lock(mutex_);
    const auto found = tokens_.find(choice);
    const size_t tokens = found == tokens_.end() ? 0 : found->second.size();
    return tokens >= limit_ || (full_ && choice == 0);
  }
  void OnToken(int choice, models::sampling::Sampled token) override {
    base::MutexLock lock(mutex_);
    tokens_[choice].push_back(token.chosen.token);
    changed_.NotifyAll();
  }
  void OnEnd(int choice, EndReason reason) override {
    base::MutexLock lock(mutex_);
    ends_[choice] = reason;
  }
  void OnDone(const absl::Status& status, const GenerationReport& report) override {
    base::MutexLock lock(mutex_);
    EXPECT_FALSE(done_) << "done twice";
    done_ = true;
    status_ = status;
    report_ = report;
    changed_.NotifyAll();
  }

  // Makes choice 0 full, or not.
  void SetFull(bool full) {
    base::MutexLock lock(mutex_);
    full_ = full;
  }
  // A choice is full once it has so many tokens.
  void SetLimit(size_t tokens) {
    base::MutexLock lock(mutex_);
    limit_ = tokens;
  }
  absl::Status Wait() {
    base::MutexLock lock(mutex_);
    while (!done_) changed_.Wait(mutex_);
    return status_;
  }
  void WaitForTokens(size_t count) {
    base::MutexLock lock(mutex_);
    while (!done_ && tokens_[0].size() < count) changed_.Wait(mutex_);
  }
  std::vector<int32_t> tokens(int choice = 0) {
    base::MutexLock lock(mutex_);
    return tokens_[choice];
  }
  std::map<int, EndReason> ends() {
    base::MutexLock lock(mutex_);
    return ends_;
  }
  GenerationReport report() {
    base::MutexLock lock(mutex_);
    return report_;
  }

 private:
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  bool full_ = false;
  size_t limit_ = std::numeric_limits<size_t>::max();
  std::map<int, std::vector<int32_t>> tokens_;
  std::map<int, EndReason> ends_;
  bool done_ = false;
  absl::Status status_;
  GenerationReport report_;
};

// Holds the device's thread at the start of a step.
class Gate {
 public:
  void Pass() {
    base::MutexLock lock(mutex_);
    ++arrived_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void WaitForArrival() {
    base::MutexLock lock(mutex_);
    while (arrived_ == 0) changed_.Wait(mutex_);
  }
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int arrived_ = 0;
  bool open_ = false;
};

// A clock that tests set while the engine reads it.
class TestClock : public base::Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + absl::Seconds(seconds_.load()); }
  void Advance(int seconds) { seconds_ += seconds; }

 private:
  std::atomic<int> seconds_{0};
};

// `count` tokens that count up from `from`, below 60.
std::vector<int32_t> Prompt(int from, int count);

// An engine with the toy model.
class EngineTest : public ::testing::Test {
 protected:
  void Start(const ToyLm::Options& model = {}, const scheduler::StepLimits& limits = {},
             const models::sampling::LogitRules& rules = {});
  void StartWith(const StageFactory& stage, const scheduler::StepLimits& limits = {});

  // Greedy unless a temperature is given.
  Generation Ask(const std::shared_ptr<Collector>& sink, std::vector<int32_t> prompt,
                 int max_tokens, float temperature = 0);

  // Waits for the engine to be through with all that was posted before.
  void Settle();

  // A metric by its full name with labels.
  double Value(const std::string& metric);
  // The gauges follow a step's ends, which the sinks hear of first.
  void ExpectSoon(const std::string& metric, double value);
  void ExpectNoBlockUsed() { ExpectSoon("terminus_decoder_kv_blocks{state=\"used\"}", 0); }
  double UsedBlocks() { return Value("terminus_decoder_kv_blocks{state=\"used\"}"); }

  int steps_in_flight_ = 2;
  int slots_ = 64;
  ToyLm::Options model_;
  TestClock clock_;
  metrics::Registry registry_{"test"};
  EngineMetrics metrics_{registry_};
  std::unique_ptr<Engine> engine_;
};

}  // namespace terminus::services::decoder::pipeline
