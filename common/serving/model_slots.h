#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/base/thread_pool.h"
#include "common/metrics/metrics.h"

namespace terminus::serving {

// A model that a process holds, of whatever type it is.
struct HostedModel {
  std::string name;
  std::string space_id;
  // Null: the bundle has nothing for this service.
  std::shared_ptr<const void> model;
};

// Which models a process holds, and which answers whom. Requests hold the model that they got for
// as long as they need it; the last one to let go frees it, on a thread of this object: a model
// owns threads, which could not join themselves. Thread-safe. Its destructor waits until all
// holders have let go.
//
//            Start                Commit                 Finish
//   nothing ──────► served     served ──► displaced ────────────► freed
//                              staged ──► served
//            Begin … End
//   nothing ─────────────► staged ──── Finish (given up) ──► freed
//
// At most two at once, beside those that requests still hold: the served one, and that of the one
// load under way, staged or displaced.
class ModelSlots {
 public:
  // `ready` is 1 once the first model is served, or it is known that there is none to serve.
  explicit ModelSlots(metrics::Gauge& ready) : ready_(ready), reaper_("reaper", 1, kMaxDying) {}

  ~ModelSlots();

  // The model that the process was started with; a HostedModel without one: nothing is served.
  void Start(HostedModel model);

  // The model that makes vectors of that space: the served one, or one that it has just displaced.
  // An empty space stands for the served one. UNAVAILABLE before Start, NOT_FOUND with the reason
  // MODEL_NOT_LOADED when there is none.
  absl::StatusOr<std::shared_ptr<const HostedModel>> Find(absl::string_view space_id) const;

  // What is served; its `model` is null when that is nothing. Null before Start.
  std::shared_ptr<const HostedModel> served() const;

  // Begins a load. ABORTED while another one is under way, or has left something behind that is
  // kept until later than `now`. What it stages is kept until `expires`.
  absl::Status Begin(const std::string& load_id, absl::Time expires, absl::Time now);

  // The load came to its end: stages the model, or nothing if it failed. CANCELLED, and frees the
  // model, when Finish came meanwhile.
  absl::Status End(const std::string& load_id, absl::StatusOr<HostedModel> loaded);

  // The staged model becomes the served one. FAILED_PRECONDITION when none of that load is staged.
  // Again for the same load: OK, nothing changes.
  absl::Status Commit(const std::string& load_id);

  // Lets go of what a load staged and did not commit, or displaced.
  void Finish(const std::string& load_id);

  // Serves nothing any more. NOT_FOUND when what is served has another name, ABORTED as Begin.
  absl::Status Unload(const std::string& name, absl::Time now);

 private:
  // Few: each is a whole model.
  static constexpr size_t kMaxDying = 64;

  struct Load {
    std::string id;
    absl::Time expires;
    bool loading = true;
    bool given_up = false;
    bool committed = false;
    // Staged, or displaced once committed.
    std::shared_ptr<const HostedModel> model;
  };

  absl::Status CheckIdle(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const HostedModel> Own(HostedModel model);
  void Free(const HostedModel* model);
  void Serve(std::shared_ptr<const HostedModel> model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  metrics::Gauge& ready_;
  base::ThreadPool reaper_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const HostedModel> served_ ABSL_GUARDED_BY(mutex_);
  std::optional<Load> load_ ABSL_GUARDED_BY(mutex_);
  // Models that are not freed yet.
  int alive_ ABSL_GUARDED_BY(mutex_) = 0;
  base::CondVar freed_;
};

}  // namespace terminus::serving
