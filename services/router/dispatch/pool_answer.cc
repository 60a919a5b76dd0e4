// The part of Pool that deals with what comes back from replicas.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/log.h"
#include "common/rpc/status.h"
#include "services/router/dispatch/pool.h"

namespace terminus::services::router::dispatch {
namespace {

absl::Status Broken(const std::string& address, absl::string_view what) {
  return base::MakeError(absl::StatusCode::kInternal, base::kReasonInternal,
                         absl::StrCat("the replica at ", address, " ", what));
}

bool IsVectorOf(const v1::Tensor& vector, int dimension) {
  return vector.dtype() == v1::DATA_TYPE_FLOAT32 && vector.shape_size() == 1 &&
         vector.shape(0) == dimension &&
         vector.data().size() == static_cast<size_t>(dimension) * sizeof(float);
}

// What an encoder says of one item, checked: a replica is another process, maybe of another build.
absl::Status CheckResult(const v1::EncodeResult& result, int dimension,
                         const std::string& address) {
  if (result.status().code() != 0) {
    return rpc::FromProto(result.status());
  }
  if (!IsVectorOf(result.vector(), dimension)) {
    return Broken(address,
                  absl::StrCat("answered a vector that is not float32 of shape [", dimension, "]"));
  }
  return absl::OkStatus();
}

}  // namespace

void Pool::OnAnswer(std::shared_ptr<BatchCall> call, const grpc::Status& status) {
  Work work;
  Flight flight;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    flight = Land(*call);
    if (status.ok()) {
      queue_.ObserveBatchTime(now - call->sent);
      metrics::Observe(metrics_.round_trip, now - call->sent);
    } else {
      Fail(flight, rpc::FromGrpc(status), now, work);
    }
    // First of all: the replica must not wait while answers are written.
    Pump(now, work);
  }
  // Sends go first and answers last, so they are kept apart until all is known.
  std::vector<Ended> ended = std::exchange(work.ended, {});
  Perform(std::exchange(work, {}));
  work.ended = std::move(ended);
  if (status.ok()) {
    text_cost_.Observe(call->response.bytes_per_token());
    metrics::Observe(metrics_.compute, absl::Microseconds(call->response.compute_us()));
    EndAnswered(flight, work);
  }
  Perform(std::move(work));
}

void Pool::AnswerDone() {
  base::MutexLock lock(mutex_);
  if (--unanswered_ == 0) {
    quiet_.NotifyAll();
  }
}

Pool::Flight Pool::Land(const BatchCall& call) {
  const auto found = std::find_if(flights_.begin(), flights_.end(),
                                  [&](const Flight& flight) { return flight.call.get() == &call; });
  Flight flight = std::move(*found);
  flights_.erase(found);
  ReplicaLoad& load = flight.replica->load;
  --load.outstanding_batches;
  load.outstanding_cost -= call.cost;
  load.paused_until = absl::InfinitePast();
  return flight;
}

void Pool::Fail(const Flight& flight, const absl::Status& status, absl::Time now, Work& work) {
  const std::string& address = flight.replica->spec.address;
  absl::Status outcome;
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      if (base::Reason(status) == base::kReasonOverloaded && !closed_) {
        // Still at work on a batch that was cancelled here; the items lose nothing but time.
        flight.replica->load.paused_until = now + options_.busy_pause;
        queue_.PutBack(TakeBack(*flight.call));
        return;
      }
      outcome = Broken(address, absl::StrCat("refused a batch: ", status.ToString()));
      break;
    case absl::StatusCode::kCancelled:
      if (!flight.cancelled) {
        return Retry(flight, now, work);
      }
      outcome = base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                                "the caller left before the item was encoded");
      break;
    case absl::StatusCode::kUnavailable:
      return Retry(flight, now, work);
    case absl::StatusCode::kNotFound:
      if (base::Reason(status) == base::kReasonModelNotLoaded) {
        // Its model was replaced without this router's doing: it has to be described anew.
        return Retry(flight, now, work);
      }
      outcome = Broken(address, absl::StrCat("refused a batch: ", status.ToString()));
      break;
    case absl::StatusCode::kDeadlineExceeded:
      outcome = base::MakeError(absl::StatusCode::kDeadlineExceeded, base::kReasonDeadline,
                                "the deadline passed while the item was being encoded");
      break;
    default:
      outcome = Broken(address, absl::StrCat("failed a batch: ", status.ToString()));
      base::LogWarning(std::string(outcome.message()));
  }
  for (auto& task : TakeBack(*flight.call)) {
    work.ended.push_back({std::move(task), {.status = outcome}});
  }
}

void Pool::Retry(const Flight& flight, absl::Time now, Work& work) {
  // Only the first of its batches to fail finds it in the pool.
  if (Drop(flight.replica, now)) {
    work.lost.push_back(flight.replica);
  }
  std::vector<std::unique_ptr<batching::Task>> again;
  for (auto& task : TakeBack(*flight.call)) {
    auto& encode = static_cast<EncodeTask&>(*task);
    if (++encode.lost > 1 || closed_) {
      work.ended.push_back({std::move(task), {.status = Unavailable(encode)}});
    } else {
      again.push_back(std::move(task));
    }
  }
  metrics_.retried.Increment(static_cast<double>(again.size()));
  queue_.PutBack(std::move(again));
}

void Pool::EndAnswered(const Flight& flight, Work& work) {
  BatchCall& call = *flight.call;
  const ReplicaSpec& spec = flight.replica->spec;
  const auto answered = static_cast<size_t>(call.response.results_size());
  for (size_t i = 0; i < call.tasks.size(); ++i) {
    const ServedModel& model = *call.task(i).model;
    EncodeOutcome outcome;
    if (answered != call.tasks.size()) {
      outcome.status = Broken(spec.address, absl::StrCat("answered ", answered, " results for ",
                                                         call.tasks.size(), " items"));
    } else if (call.response.space_id() != model.space_id) {
      outcome.status =
          Broken(spec.address, absl::StrCat("answered vectors of space ", call.response.space_id(),
                                            ", expected ", model.space_id));
    } else {
      v1::EncodeResult& result = *call.response.mutable_results(static_cast<int>(i));
      outcome.status = CheckResult(result, model.dimension, spec.address);
      outcome.queue = call.sent - call.task(i).enqueued;
      outcome.preprocess = absl::Microseconds(call.response.preprocess_us());
      outcome.compute = absl::Microseconds(call.response.compute_us());
      if (outcome.status.ok()) {
        outcome.result = std::move(result);
      }
    }
    work.ended.push_back({std::move(call.tasks[i]), std::move(outcome)});
  }
}

}  // namespace terminus::services::router::dispatch
