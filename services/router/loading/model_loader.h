#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "services/router/discovery/discovery.h"
#include "services/router/loading/host_calls.h"
#include "services/router/loading/load_report.h"
#include "terminus/v1/cluster.pb.h"

namespace terminus::services::router::loading {

struct LoaderOptions {
  // Most time for a model to be loaded everywhere.
  absl::Duration timeout = absl::Minutes(10);
  // Most time that calls which were inside at the switch keep the old model for.
  absl::Duration drain = absl::Seconds(60);
  // Patience with a call that only changes what is there already.
  absl::Duration step_timeout = absl::Seconds(10);
  // Between two looks for replicas that came back with another model, and how long one is left
  // alone that could not load the cluster's.
  absl::Duration repair_interval = absl::Milliseconds(500);
  absl::Duration repair_pause = absl::Seconds(30);
};

// Changes the model of the whole cluster. All is done by one thread of its own, one change at a
// time: stage on all replicas, or nothing; commit on all; switch the catalog; wait until no call
// uses the old model; let go of it.
//
// A replica that comes back later (it was restarted, and loaded what its config says) is refused by
// the discovery; it is given the cluster's model again, and is accepted then. That lasts as long as
// this object: a router that is restarted takes what the replicas serve.
class ModelLoader {
 public:
  using LoadDone = std::function<void(absl::StatusOr<v1::LoadModelResponse>)>;
  using UnloadDone = std::function<void(absl::StatusOr<v1::UnloadModelResponse>)>;

  // Starts at once. Both must outlive it.
  ModelLoader(const LoaderOptions& options, discovery::Discovery* discovery,
              discovery::Catalog* catalog);
  // As Stop.
  ~ModelLoader();

  // Gives up a change that is under way where that can be done, else hurries it; takes no more.
  void Stop();

  // Begin a change. ABORTED while another one is under way; `done` is not called then. Else it is,
  // once, on the loader's thread. Raising `cancellation` gives the change up as long as nothing has
  // been changed. The responses say what came of each replica; the model is the catalog's by then.
  absl::Status Load(const v1::LoadModelRequest& request, absl::Time deadline,
                    std::shared_ptr<Cancellation> cancellation, LoadDone done);
  absl::Status Unload(const v1::UnloadModelRequest& request,
                      std::shared_ptr<Cancellation> cancellation, UnloadDone done);

 private:
  // What the replicas were made to serve.
  struct Wanted {
    std::string path;
    std::string name;
    std::string space_id;
  };

  absl::Status Enqueue(std::shared_ptr<Cancellation> cancellation, std::function<void()> job);
  void Run();
  // Before the answer: who has it may begin the next.
  void EndChange();

  absl::StatusOr<v1::LoadModelResponse> RunLoad(const v1::LoadModelRequest& request,
                                                absl::Time deadline, Cancellation& cancellation);
  absl::StatusOr<v1::UnloadModelResponse> RunUnload(const v1::UnloadModelRequest& request);
  absl::StatusOr<std::vector<discovery::Host>> HostsOfAll() const;
  StageAnswers Stage(absl::Span<const discovery::Host> hosts, const std::string& load_id,
                     const std::string& path, const std::string& name, absl::Time deadline,
                     Cancellation& cancellation);
  std::vector<absl::Status> Commit(absl::Span<const discovery::Host> hosts,
                                   const std::string& load_id);
  void Finish(absl::Span<const discovery::Host> hosts, const std::string& load_id);
  // Waits until no call uses the model that was served, or for as long as that may take.
  void Drain(const std::shared_future<void>& ended);
  void Repair();

  const LoaderOptions options_;
  discovery::Discovery* const discovery_;
  discovery::Catalog* const catalog_;
  HostCalls calls_;

  // Used by the thread only.
  std::optional<Wanted> wanted_;
  std::map<std::string, absl::Time> repair_at_;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> job_ ABSL_GUARDED_BY(mutex_);
  // Of the change, or the repair, that is under way.
  std::shared_ptr<Cancellation> current_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Cancellation> repair_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace terminus::services::router::loading
