#include "services/router/loading/model_loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/context.h"

namespace terminus::services::router::loading {
namespace {

using discovery::Host;

// Between two looks at whether the old model is still used.
constexpr absl::Duration kDrainStep = absl::Milliseconds(5);

v1::ReplicaLoad* AddOutcome(const std::string& service, const std::string& address,
                            v1::LoadOutcome outcome,
                            google::protobuf::RepeatedPtrField<v1::ReplicaLoad>* replicas) {
  v1::ReplicaLoad* load = replicas->Add();
  load->set_service(service);
  load->set_address(address);
  load->set_outcome(outcome);
  return load;
}

// Those that the discovery knows and that were not asked.
void AddMissing(const discovery::Discovery& discovery, absl::Span<const Host> hosts,
                google::protobuf::RepeatedPtrField<v1::ReplicaLoad>* replicas) {
  for (const v1::ReplicaStatus& status : discovery.replicas()) {
    const bool asked = std::any_of(hosts.begin(), hosts.end(), [&](const Host& host) {
      return host.service == status.service() && host.address == status.address();
    });
    if (!asked) {
      AddOutcome(status.service(), status.address(), v1::LOAD_OUTCOME_NOT_REACHED, replicas)
          ->set_detail(status.detail());
    }
  }
}

// Which replicas have the new model, and what came of each.
discovery::ModelSwitch Committed(absl::Span<const Host> hosts, const StageAnswers& staged,
                                 const std::vector<absl::Status>& committed,
                                 v1::LoadModelResponse& response) {
  discovery::ModelSwitch change;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const bool absent = staged[i]->absent();
    if (!committed[i].ok()) {
      AddOutcome(hosts[i].service, hosts[i].address, v1::LOAD_OUTCOME_NOT_REACHED,
                 response.mutable_replicas())
          ->set_detail(std::string(committed[i].message()));
      continue;
    }
    AddOutcome(hosts[i].service, hosts[i].address,
               absent ? v1::LOAD_OUTCOME_NOT_IN_BUNDLE : v1::LOAD_OUTCOME_LOADED,
               response.mutable_replicas());
    change.replicas.push_back({.service = hosts[i].service,
                               .address = hosts[i].address,
                               .absent = absent,
                               .description = staged[i]->encoder(),
                               .decoder = staged[i]->decoder()});
  }
  return change;
}

}  // namespace

ModelLoader::ModelLoader(const LoaderOptions& options, discovery::Discovery* discovery,
                         discovery::Catalog* catalog)
    : options_(options), discovery_(discovery), catalog_(catalog) {
  thread_ = std::thread([this] { Run(); });
}

ModelLoader::~ModelLoader() {
  Stop();
  thread_.join();
}

void ModelLoader::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& cancellation : {current_, repair_}) {
      if (cancellation != nullptr) {
        cancellation->Raise();
      }
    }
  }
  changed_.NotifyAll();
}

absl::Status ModelLoader::Enqueue(std::shared_ptr<Cancellation> cancellation,
                                  std::function<void()> job) {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) {
      return base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                             "the router is shutting down");
    }
    if (busy_) {
      return base::MakeError(absl::StatusCode::kAborted, base::kReasonLoadUnderWay,
                             "another model is being loaded or unloaded; one change at a time");
    }
    busy_ = true;
    job_ = std::move(job);
    current_ = std::move(cancellation);
    if (repair_ != nullptr) {
      repair_->Raise();
    }
  }
  changed_.NotifyAll();
  return absl::OkStatus();
}

absl::Status ModelLoader::Load(const v1::LoadModelRequest& request, absl::Time deadline,
                               std::shared_ptr<Cancellation> cancellation, LoadDone done) {
  deadline = std::min(deadline, absl::Now() + options_.timeout);
  return Enqueue(cancellation, [this, request, deadline, cancellation, done = std::move(done)] {
    auto response = RunLoad(request, deadline, *cancellation);
    EndChange();
    done(std::move(response));
  });
}

absl::Status ModelLoader::Unload(const v1::UnloadModelRequest& request,
                                 std::shared_ptr<Cancellation> cancellation, UnloadDone done) {
  return Enqueue(std::move(cancellation), [this, request, done = std::move(done)] {
    auto response = RunUnload(request);
    EndChange();
    done(std::move(response));
  });
}

void ModelLoader::EndChange() {
  base::MutexLock lock(mutex_);
  busy_ = false;
  current_.reset();
}

void ModelLoader::Run() {
  while (true) {
    std::function<void()> job;
    {
      base::MutexLock lock(mutex_);
      const absl::Time next = absl::Now() + options_.repair_interval;
      while (!stopping_ && job_ == nullptr && absl::Now() < next) {
        changed_.WaitUntil(mutex_, next);
      }
      if (job_ == nullptr && stopping_) {
        return;
      }
      job = std::exchange(job_, nullptr);
    }
    if (job) {
      job();
    } else {
      Repair();
    }
  }
}

absl::StatusOr<std::vector<Host>> ModelLoader::HostsOfAll() const {
  std::vector<Host> hosts = discovery_->hosts();
  for (const v1::ReplicaStatus& status : discovery_->replicas()) {
    const bool any = std::any_of(hosts.begin(), hosts.end(), [&](const Host& host) {
      return host.service == status.service();
    });
    if (!any) {
      return base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                             absl::StrCat("no ", status.service(), " replica is there: ",
                                          status.address(), ": ", status.detail()));
    }
  }
  return hosts;
}

StageAnswers ModelLoader::Stage(absl::Span<const Host> hosts, const std::string& load_id,
                                const std::string& path, const std::string& name,
                                absl::Time deadline, Cancellation& cancellation) {
  v1::StageModelRequest request;
  request.set_load_id(load_id);
  request.set_path(path);
  request.set_name(name);
  // As long as this router may still need it: until the last has staged, and has been drained.
  const absl::Duration keep = deadline - absl::Now() + options_.drain + 3 * options_.step_timeout;
  request.set_keep_us(static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Microseconds(keep))));
  StageAnswers answers =
      calls_.Ask(hosts, &v1::ModelHost::Stub::Stage, request, deadline, &cancellation);
  TakeStatuses(answers);
  return answers;
}

std::vector<absl::Status> ModelLoader::Commit(absl::Span<const Host> hosts,
                                              const std::string& load_id) {
  v1::CommitModelRequest request;
  request.set_load_id(load_id);
  std::vector<absl::Status> statuses;
  for (const auto& answer : calls_.Ask(hosts, &v1::ModelHost::Stub::Commit, request,
                                       absl::Now() + options_.step_timeout)) {
    statuses.push_back(answer.status());
  }
  return statuses;
}

void ModelLoader::Finish(absl::Span<const Host> hosts, const std::string& load_id) {
  v1::FinishModelRequest request;
  request.set_load_id(load_id);
  const auto answers =
      calls_.Ask(hosts, &v1::ModelHost::Stub::Finish, request, absl::Now() + options_.step_timeout);
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (!answers[i].ok()) {
      base::LogWarning(absl::StrCat(
          hosts[i].service, " at ", hosts[i].address,
          " may still hold a model that is not used: ", answers[i].status().message()));
    }
  }
}

void ModelLoader::Drain(const std::shared_future<void>& ended) {
  if (!ended.valid()) {
    return;  // There was no model.
  }
  const absl::Time deadline = absl::Now() + options_.drain;
  while (ended.wait_for(absl::ToChronoNanoseconds(kDrainStep)) != std::future_status::ready) {
    base::MutexLock lock(mutex_);
    if (stopping_) {
      return;
    }
    if (absl::Now() >= deadline) {
      base::LogWarning(absl::StrCat("calls still use the old model after ",
                                    absl::FormatDuration(options_.drain),
                                    "; what they have not sent yet will be UNAVAILABLE"));
      return;
    }
  }
}

absl::StatusOr<v1::LoadModelResponse> ModelLoader::RunLoad(const v1::LoadModelRequest& request,
                                                           absl::Time deadline,
                                                           Cancellation& cancellation) {
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<Host> hosts, HostsOfAll());
  auto old = catalog_->model();
  const std::string stays =
      old == nullptr ? "no model is served" : absl::StrCat("'", old->name, "' stays in service");
  const std::string load_id = rpc::NewRequestId();
  StageAnswers staged =
      Stage(hosts, load_id, request.path(), request.name(), deadline, cancellation);
  const absl::Status status = StageStatus(hosts, staged, stays);
  auto model = status.ok() ? Combine(hosts, staged) : absl::StatusOr<dispatch::ServedModel>(status);
  if (model.ok() && cancellation.raised()) {
    model = base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                            absl::StrCat("the caller left; ", stays));
  }
  if (!model.ok()) {
    Finish(hosts, load_id);
    base::LogError(absl::StrCat("cannot load ", request.path(), ": ", model.status().message()));
    return Shorten(model.status());
  }

  // From here on nothing is given up: who cannot follow is left behind.
  v1::LoadModelResponse response;
  discovery::ModelSwitch change = Committed(hosts, staged, Commit(hosts, load_id), response);
  change.model = *model;
  AddMissing(*discovery_, hosts, response.mutable_replicas());
  const std::shared_future<void> ended =
      old == nullptr ? std::shared_future<void>() : old->use->ended();
  old.reset();
  discovery_->Switch(std::move(change));
  wanted_ = Wanted{.path = request.path(), .name = model->name, .space_id = model->space_id};
  repair_at_.clear();
  base::LogInfo(absl::StrCat("serving model ", model->name, " of space ", model->space_id,
                             " now, from ", request.path()));
  Drain(ended);
  discovery_->Settle();
  Finish(hosts, load_id);
  return response;
}

absl::StatusOr<v1::UnloadModelResponse> ModelLoader::RunUnload(
    const v1::UnloadModelRequest& request) {
  auto old = catalog_->model();
  if (old == nullptr || old->name != request.name()) {
    return base::MakeError(
        absl::StatusCode::kNotFound, base::kReasonUnknownModel,
        absl::StrCat("no model named '", request.name(), "' is served; there is ",
                     old == nullptr ? "none" : absl::StrCat("'", old->name, "'")));
  }
  const std::vector<Host> hosts = discovery_->hosts();
  const std::shared_future<void> ended = old->use->ended();
  old.reset();
  discovery::ModelSwitch change;
  for (const Host& host : hosts) {
    change.replicas.push_back({.service = host.service, .address = host.address, .absent = true});
  }
  discovery_->Switch(std::move(change));
  wanted_.reset();
  base::LogInfo(absl::StrCat("unloading model ", request.name()));
  Drain(ended);
  discovery_->Settle();
  v1::UnloadHostedModelRequest unload;
  unload.set_name(request.name());
  const auto answers =
      calls_.Ask(hosts, &v1::ModelHost::Stub::Unload, unload, absl::Now() + options_.step_timeout);
  v1::UnloadModelResponse response;
  for (size_t i = 0; i < hosts.size(); ++i) {
    // One that had nothing has nothing now.
    const bool ok = answers[i].ok() || absl::IsNotFound(answers[i].status());
    v1::ReplicaLoad* load = AddOutcome(
        hosts[i].service, hosts[i].address,
        ok ? v1::LOAD_OUTCOME_UNLOADED : v1::LOAD_OUTCOME_NOT_REACHED, response.mutable_replicas());
    if (!ok) {
      load->set_detail(std::string(answers[i].status().message()));
    }
  }
  AddMissing(*discovery_, hosts, response.mutable_replicas());
  return response;
}

void ModelLoader::Repair() {
  if (!wanted_.has_value()) {
    return;
  }
  std::vector<Host> hosts;
  for (Host& host : discovery_->hosts()) {
    if (!host.accepted && host.space_id != wanted_->space_id &&
        repair_at_[host.address] <= absl::Now()) {
      hosts.push_back(std::move(host));
    }
  }
  if (hosts.empty()) {
    return;
  }
  const auto cancellation = std::make_shared<Cancellation>();
  {
    base::MutexLock lock(mutex_);
    if (stopping_ || busy_) {
      return;
    }
    repair_ = cancellation;
  }
  const std::string load_id = rpc::NewRequestId();
  const StageAnswers staged = Stage(hosts, load_id, wanted_->path, wanted_->name,
                                    absl::Now() + options_.timeout, *cancellation);
  std::vector<Host> fit;
  const auto served = catalog_->model();
  for (size_t i = 0; i < hosts.size(); ++i) {
    const std::string space = !staged[i].ok()                 ? ""
                              : hosts[i].service == "decoder" ? staged[i]->decoder().space_id()
                                                              : staged[i]->encoder().space_id();
    // The folder may have lost the service's part since.
    const bool lacks = served != nullptr && !served->Takes(hosts[i].modality);
    if (staged[i].ok() && (staged[i]->absent() ? lacks : space == wanted_->space_id)) {
      fit.push_back(hosts[i]);
      continue;
    }
    repair_at_[hosts[i].address] = absl::Now() + options_.repair_pause;
    base::LogWarning(absl::StrCat(hosts[i].service, " at ", hosts[i].address,
                                  " cannot serve the cluster's model from ", wanted_->path, ": ",
                                  staged[i].ok() && staged[i]->absent()
                                      ? "its folder has nothing for the service"
                                  : staged[i].ok() ? absl::StrCat("its folder is of space ", space)
                                                   : std::string(staged[i].status().message())));
  }
  Commit(fit, load_id);
  Finish(hosts, load_id);
  base::MutexLock lock(mutex_);
  repair_.reset();
}

}  // namespace terminus::services::router::loading
