#include "common/serving/model_slots.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"

namespace terminus::serving {
namespace {

absl::Status UnderWay(const std::string& load_id) {
  return base::MakeError(
      absl::StatusCode::kAborted, base::kReasonLoadUnderWay,
      absl::StrCat("another model is being loaded here (load ", load_id, "); one at a time"));
}

absl::Status NotLoaded(absl::string_view what) {
  return base::MakeError(absl::StatusCode::kNotFound, base::kReasonModelNotLoaded, what);
}

}  // namespace

ModelSlots::~ModelSlots() {
  std::shared_ptr<const HostedModel> served;
  std::optional<Load> load;
  {
    base::MutexLock lock(mutex_);
    served.swap(served_);
    load.swap(load_);
  }
  served.reset();
  load.reset();
  base::MutexLock lock(mutex_);
  while (alive_ > 0) {
    freed_.Wait(mutex_);
  }
}

std::shared_ptr<const HostedModel> ModelSlots::Own(HostedModel model) {
  {
    base::MutexLock lock(mutex_);
    ++alive_;
  }
  return std::shared_ptr<const HostedModel>(
      new HostedModel(std::move(model)), [this](const HostedModel* dying) {
        if (!reaper_.TrySchedule([this, dying] { Free(dying); })) {
          Free(dying);
        }
      });
}

void ModelSlots::Free(const HostedModel* model) {
  delete model;
  base::MutexLock lock(mutex_);
  --alive_;
  freed_.NotifyAll();
}

void ModelSlots::Serve(std::shared_ptr<const HostedModel> model) {
  ready_.Set(1);
  served_ = std::move(model);
}

void ModelSlots::Start(HostedModel model) {
  auto owned = Own(std::move(model));
  base::MutexLock lock(mutex_);
  Serve(std::move(owned));
}

std::shared_ptr<const HostedModel> ModelSlots::served() const {
  base::MutexLock lock(mutex_);
  return served_;
}

absl::StatusOr<std::shared_ptr<const HostedModel>> ModelSlots::Find(
    absl::string_view space_id) const {
  base::MutexLock lock(mutex_);
  if (served_ == nullptr) {
    return base::WithRetryDelay(
        base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                        "the model is still being loaded"),
        absl::Milliseconds(500));
  }
  const auto answers = [space_id](const HostedModel& model) {
    return model.model != nullptr && (space_id.empty() || model.space_id == space_id);
  };
  if (answers(*served_)) {
    return served_;
  }
  if (!space_id.empty() && load_.has_value() && load_->committed && load_->model != nullptr &&
      answers(*load_->model)) {
    return load_->model;
  }
  if (served_->model == nullptr) {
    return NotLoaded("no model is loaded here");
  }
  return NotLoaded(absl::StrCat("the model of space ", space_id, " is not loaded here; '",
                                served_->name, "' is, of space ", served_->space_id));
}

absl::Status ModelSlots::CheckIdle(absl::Time now) const {
  return load_.has_value() && (load_->loading || now < load_->expires) ? UnderWay(load_->id)
                                                                       : absl::OkStatus();
}

absl::Status ModelSlots::Begin(const std::string& load_id, absl::Time expires, absl::Time now) {
  base::MutexLock lock(mutex_);
  if (served_ == nullptr) {
    return UnderWay("of the start");
  }
  TERMINUS_RETURN_IF_ERROR(CheckIdle(now));
  load_ = Load{.id = load_id, .expires = expires};
  return absl::OkStatus();
}

absl::Status ModelSlots::End(const std::string& load_id, absl::StatusOr<HostedModel> loaded) {
  auto owned = loaded.ok() ? Own(*std::move(loaded)) : nullptr;
  base::MutexLock lock(mutex_);
  if (!load_.has_value() || load_->id != load_id || !load_->loading) {
    return absl::InternalError(absl::StrCat("load ", load_id, " was not begun"));
  }
  const bool given_up = load_->given_up;
  if (owned == nullptr || given_up) {
    load_.reset();
    return given_up ? base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                                      "the load was given up")
                    : loaded.status();
  }
  load_->loading = false;
  load_->model = std::move(owned);
  return absl::OkStatus();
}

absl::Status ModelSlots::Commit(const std::string& load_id) {
  base::MutexLock lock(mutex_);
  if (!load_.has_value() || load_->id != load_id || load_->loading) {
    return absl::FailedPreconditionError(absl::StrCat("no model of load ", load_id, " is staged"));
  }
  if (!load_->committed) {
    load_->committed = true;
    auto displaced = std::exchange(served_, nullptr);
    Serve(std::exchange(load_->model, std::move(displaced)));
  }
  return absl::OkStatus();
}

void ModelSlots::Finish(const std::string& load_id) {
  base::MutexLock lock(mutex_);
  if (!load_.has_value() || load_->id != load_id) {
    return;
  }
  if (load_->loading) {
    load_->given_up = true;
  } else {
    load_.reset();
  }
}

absl::Status ModelSlots::Unload(const std::string& name, absl::Time now) {
  auto nothing = Own({});
  base::MutexLock lock(mutex_);
  if (served_ == nullptr || served_->model == nullptr) {
    return NotLoaded("no model is loaded here");
  }
  if (served_->name != name) {
    return NotLoaded(
        absl::StrCat("no model named '", name, "' is loaded here; '", served_->name, "' is"));
  }
  TERMINUS_RETURN_IF_ERROR(CheckIdle(now));
  load_.reset();
  Serve(std::move(nothing));
  return absl::OkStatus();
}

}  // namespace terminus::serving
