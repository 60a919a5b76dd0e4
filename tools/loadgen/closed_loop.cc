#include "tools/loadgen/closed_loop.h"

#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/mutex.h"

namespace terminus::tools::loadgen {
namespace {

// Shared by the callbacks, so that one which comes too late finds it alive.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(const LoopOptions& options, StartCall start)
      : options_(options), start_(std::move(start)), running_(options.clients) {}

  absl::StatusOr<LoadReport> Run() {
    const absl::Time begin = absl::Now();
    measure_from_ = begin + options_.warmup;
    measure_to_ = measure_from_ + options_.duration;
    for (int client = 0; client < options_.clients; ++client) {
      StartNext(client);
    }
    base::MutexLock lock(mutex_);
    while (running_ + starting_ > 0) {
      if (!all_done_.WaitUntil(mutex_, measure_to_ + options_.drain) && running_ > 0) {
        return absl::DeadlineExceededError(
            absl::StrFormat("%d of %d calls in flight were not answered within %s after the end",
                            running_, options_.clients, absl::FormatDuration(options_.drain)));
      }
    }
    // What the calls need goes on the caller's thread, not with the last callback.
    start_ = nullptr;
    report_.measured = options_.duration;
    return std::move(report_);
  }

 private:
  void StartNext(int client) {
    int64_t sequence;
    {
      base::MutexLock lock(mutex_);
      sequence = next_sequence_++;
    }
    const absl::Time started = absl::Now();
    start_(client, sequence, [self = shared_from_this(), client, started](const CallOutcome& out) {
      self->Finished(client, started, out);
    });
  }

  void Finished(int client, absl::Time started, const CallOutcome& outcome) {
    const absl::Time now = absl::Now();
    {
      base::MutexLock lock(mutex_);
      if (now >= measure_from_ && now < measure_to_) {
        Record(now - started, outcome);
      }
      if (now >= measure_to_) {
        --running_;
        NotifyIfOver();
        return;
      }
      ++starting_;
    }
    StartNext(client);
    base::MutexLock lock(mutex_);
    --starting_;
    NotifyIfOver();
  }

  void NotifyIfOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (running_ + starting_ == 0) {
      all_done_.NotifyAll();
    }
  }

  void Record(absl::Duration latency, const CallOutcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (outcome.code != absl::StatusCode::kOk) {
      ++report_.call_errors[outcome.code];
      return;
    }
    ++report_.calls_ok;
    report_.latency.Add(latency);
    for (const auto& [code, count] : outcome.items) {
      if (code == absl::StatusCode::kOk) {
        report_.items_ok += count;
      } else {
        report_.item_errors[code] += count;
      }
    }
  }

  const LoopOptions options_;
  StartCall start_;
  // Set before the first call starts.
  absl::Time measure_from_;
  absl::Time measure_to_;
  base::Mutex mutex_;
  base::CondVar all_done_;
  // Clients whose last call was not answered yet.
  int running_ ABSL_GUARDED_BY(mutex_);
  // Callbacks that are inside start_.
  int starting_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  LoadReport report_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

double LoadReport::calls_per_second() const {
  return static_cast<double>(calls_ok) / absl::ToDoubleSeconds(measured);
}

double LoadReport::items_per_second() const {
  return static_cast<double>(items_ok) / absl::ToDoubleSeconds(measured);
}

absl::StatusOr<LoadReport> RunClosedLoop(const LoopOptions& options, StartCall start) {
  if (options.clients < 1) {
    return absl::InvalidArgumentError(
        absl::StrFormat("clients: %d, expected at least 1", options.clients));
  }
  if (options.duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("duration: expected more than 0");
  }
  return std::make_shared<Loop>(options, std::move(start))->Run();
}

}  // namespace terminus::tools::loadgen
