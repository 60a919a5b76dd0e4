#include "common/grammar/compiler.h"

#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/mutex.h"
#include "common/grammar/big_stack_thread.h"

namespace terminus::grammar {
namespace {

// A thread stops at its next allocation, so this is far more than it needs.
constexpr absl::Duration kStopTime = absl::Seconds(10);

}  // namespace

// Outlives the compiler as long as one of its threads runs.
class Compiler::State : public std::enable_shared_from_this<Compiler::State> {
 public:
  State(const Options& options, CompilerMetrics& metrics, Function compile)
      : options_(options),
        metrics_(metrics),
        compile_(std::move(compile)),
        cache_(options.cache_bytes) {}

  void Start();
  void Stop();
  uint64_t Add(const Source& source, absl::Time deadline, Done done);
  void Cancel(uint64_t call) { End(call, absl::CancelledError("the caller cancelled")); }

 private:
  struct Task {
    Source source;
    std::atomic<bool> cancelled{false};
    // Calls that wait for it.
    int calls = 0;
  };
  struct Call {
    std::shared_ptr<Task> task;
    absl::Time deadline;
    Done done;
  };

  void Work();
  // Ends the calls whose deadline has passed, until the compiler stops.
  void Watch();
  void End(uint64_t call, const absl::Status& status);
  // Takes a call out; a compilation that nobody waits for any more is stopped.
  Done Remove(uint64_t call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextDeadline() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<uint64_t> CallsOf(const Task* task) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes a result in and calls all that wait for it.
  void Complete(const std::shared_ptr<Task>& task, const Compiled& result, absl::Duration time);

  const Options options_;
  // Not used once the compiler is gone.
  CompilerMetrics& metrics_;
  const Function compile_;

  base::Mutex mutex_;
  base::CondVar work_;     // a task waits, or the compiler stops
  base::CondVar watch_;    // a nearer deadline, or the compiler stops
  base::CondVar stopped_;  // a thread has ended
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int threads_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_call_ ABSL_GUARDED_BY(mutex_) = 0;
  GrammarCache cache_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Task>> waiting_ ABSL_GUARDED_BY(mutex_);
  // Those that wait and those that are compiled; none of them is cancelled.
  absl::flat_hash_map<Source, std::shared_ptr<Task>> tasks_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, Call> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Task>> running_ ABSL_GUARDED_BY(mutex_);
  std::thread watcher_;
};

void Compiler::State::Start() {
  base::MutexLock lock(mutex_);
  for (int i = 0; i < options_.threads; ++i) {
    TERMINUS_CHECK(
        StartDetached(kCompileStackBytes, [self = shared_from_this()] { self->Work(); }));
    ++threads_;
  }
  watcher_ = std::thread([this] { Watch(); });
}

void Compiler::State::Stop() {
  std::vector<uint64_t> calls;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    metrics_.cache_bytes.Decrement(static_cast<double>(cache_.bytes()));
    for (const std::shared_ptr<Task>& task : running_) {
      task->cancelled.store(true, std::memory_order_relaxed);
    }
    for (const auto& [number, call] : calls_) {
      calls.push_back(number);
    }
    work_.NotifyAll();
    watch_.NotifyAll();
  }
  for (const uint64_t call : calls) {
    End(call, absl::UnavailableError("the model is being unloaded"));
  }
  watcher_.join();
  base::MutexLock lock(mutex_);
  const absl::Time end = absl::Now() + kStopTime;
  while (threads_ > 0) {
    if (!stopped_.WaitUntil(mutex_, end) && threads_ > 0) {
      base::LogError("a grammar's compilation does not stop; its thread is left behind");
      return;
    }
  }
}

uint64_t Compiler::State::Add(const Source& source, absl::Time deadline, Done done) {
  absl::optional<Compiled> known;
  uint64_t number = 0;
  {
    base::MutexLock lock(mutex_);
    number = ++last_call_;
    known = cache_.Find(source);
    const auto task = tasks_.find(source);
    (known.has_value() || task != tasks_.end() ? metrics_.cache_hits : metrics_.cache_misses)
        .Increment();
    if (!known.has_value() && deadline <= absl::Now()) {
      known = absl::DeadlineExceededError("the deadline passed before the grammar was compiled");
    } else if (!known.has_value() && task == tasks_.end() &&
               waiting_.size() >= options_.max_waiting) {
      known = absl::ResourceExhaustedError(
          absl::StrCat(options_.max_waiting, " grammars wait to be compiled, the limit"));
    }
    if (!known.has_value()) {
      std::shared_ptr<Task>& shared = tasks_[source];
      if (shared == nullptr) {
        shared = std::make_shared<Task>();
        shared->source = source;
        waiting_.push_back(shared);
        work_.NotifyOne();
      }
      ++shared->calls;
      calls_.emplace(number, Call{.task = shared, .deadline = deadline, .done = std::move(done)});
      watch_.NotifyOne();
    }
  }
  if (known.has_value()) {
    done(*known);
  }
  return number;
}

Compiler::Done Compiler::State::Remove(uint64_t call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) {
    return nullptr;
  }
  Done done = std::move(found->second.done);
  const std::shared_ptr<Task> task = std::move(found->second.task);
  calls_.erase(found);
  if (--task->calls == 0) {
    task->cancelled.store(true, std::memory_order_relaxed);
    tasks_.erase(task->source);
    std::erase(waiting_, task);
  }
  return done;
}

void Compiler::State::End(uint64_t call, const absl::Status& status) {
  Done done;
  {
    base::MutexLock lock(mutex_);
    done = Remove(call);
  }
  if (done != nullptr) {
    done(status);
  }
}

void Compiler::State::Work() {
  while (true) {
    std::shared_ptr<Task> task;
    {
      base::MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) {
        work_.Wait(mutex_);
      }
      if (stopping_) {
        --threads_;
        stopped_.NotifyAll();
        return;
      }
      task = std::move(waiting_.front());
      waiting_.pop_front();
      running_.push_back(task);
    }
    const absl::Time begin = absl::Now();
    const Compiled result = compile_(task->source, task->cancelled);
    Complete(task, result, absl::Now() - begin);
  }
}

void Compiler::State::Complete(const std::shared_ptr<Task>& task, const Compiled& result,
                               absl::Duration time) {
  std::vector<Done> waiters;
  {
    base::MutexLock lock(mutex_);
    std::erase(running_, task);
    if (task->cancelled.load(std::memory_order_relaxed)) {
      return;  // Nobody waits for it, and another task may compile the same source by now.
    }
    metrics::Observe(metrics_.compile_seconds, time);
    const int64_t before = cache_.bytes();
    cache_.Insert(task->source, result);
    metrics_.cache_bytes.Increment(static_cast<double>(cache_.bytes() - before));
    for (const uint64_t call : CallsOf(task.get())) {
      waiters.push_back(Remove(call));
    }
  }
  for (const Done& done : waiters) {
    done(result);
  }
}

std::vector<uint64_t> Compiler::State::CallsOf(const Task* task) const {
  std::vector<uint64_t> numbers;
  for (const auto& [number, call] : calls_) {
    if (call.task.get() == task) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

absl::Time Compiler::State::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [number, call] : calls_) {
    next = std::min(next, call.deadline);
  }
  return next;
}

void Compiler::State::Watch() {
  while (true) {
    std::vector<uint64_t> late;
    {
      base::MutexLock lock(mutex_);
      if (!stopping_) {
        watch_.WaitUntil(mutex_, NextDeadline());
      }
      if (stopping_) {
        return;
      }
      const absl::Time now = absl::Now();
      for (const auto& [number, call] : calls_) {
        if (call.deadline <= now) {
          late.push_back(number);
        }
      }
    }
    for (const uint64_t call : late) {
      End(call, absl::DeadlineExceededError("the deadline passed before the grammar was compiled"));
    }
  }
}

Compiler::Compiler(const Options& options, CompilerMetrics& metrics, Function compile)
    : state_(std::make_shared<State>(options, metrics, std::move(compile))) {
  state_->Start();
}

Compiler::Compiler(const Options& options, CompilerMetrics& metrics,
                   std::shared_ptr<const Vocabulary> vocabulary, const Limits& limits)
    : Compiler(options, metrics,
               [vocabulary = std::move(vocabulary), limits](const Source& source,
                                                            const std::atomic<bool>& cancelled) {
                 return Grammar::Compile(source, vocabulary, limits, &cancelled);
               }) {}

Compiler::~Compiler() { state_->Stop(); }

uint64_t Compiler::Compile(const Source& source, absl::Time deadline, Done done) {
  return state_->Add(source, deadline, std::move(done));
}

void Compiler::Cancel(uint64_t call) { state_->Cancel(call); }

}  // namespace terminus::grammar
