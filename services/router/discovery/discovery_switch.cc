// The part of Discovery that makes another model the one that is served.

#include <future>
#include <memory>
#include <utility>

#include "services/router/discovery/discovery.h"
#include "services/router/discovery/space.h"

namespace terminus::services::router::discovery {

std::vector<Host> Discovery::hosts() const {
  base::MutexLock lock(mutex_);
  return hosts_;
}

void Discovery::RunThere(const std::function<void()>& body) {
  // Shared: whoever waits may be gone before the other thread has left set_value.
  const auto done = std::make_shared<std::promise<void>>();
  const bool posted = mailbox_->TryPush({.run = [this, &body, done] {
    body();
    UpdateView();
    done->set_value();
  }});
  if (posted) {
    done->get_future().wait();
  }
}

void Discovery::Switch(ModelSwitch change) {
  RunThere([&] { ApplySwitch(change); });
}

void Discovery::Settle() {
  RunThere([&] { ApplySettle(); });
}

void Discovery::Redescribe(Replica& replica, ModelSwitch::Replica& changed) {
  v1::DescribeResponse& description = replica.description;
  if (changed.absent) {
    description.set_idle(true);
    description.clear_model();
    description.clear_space_id();
    description.clear_dimension();
  } else if (replica.service->decoders != nullptr) {
    description = InCommonTerms(changed.decoder);
    replica.decoder = std::move(changed.decoder);
  } else {
    description = std::move(changed.description);
  }
}

void Discovery::ApplySwitch(ModelSwitch& change) {
  pinned_ = true;
  for (ModelSwitch::Replica& changed : change.replicas) {
    for (Replica& replica : replicas_) {
      if (replica.service->name == changed.service && replica.address == changed.address) {
        Redescribe(replica, changed);
      }
    }
  }
  if (!change.model.has_value()) {
    catalog_->Clear();
    return;
  }
  catalog_->Set(*std::move(change.model));
  const std::shared_ptr<const dispatch::ServedModel> served = catalog_->model();
  for (Replica& replica : replicas_) {
    if (!IsAccepted(replica.state) || !HasModel(replica.description)) {
      continue;
    }
    if (absl::Status space = CheckSpace(replica.description, *served); !space.ok()) {
      Apply(replica, Event::kMismatch, std::string(space.message()));
      continue;
    }
    if (replica.published && replica.service->decoders != nullptr) {
      replica.service->decoders->AddSpace(replica.address, served->space_id);
    }
    if (replica.state == State::kReady) {
      Publish(replica);
    }
  }
}

void Discovery::ApplySettle() {
  for (Replica& replica : replicas_) {
    if (replica.published && !HasModel(replica.description)) {
      Withdraw(replica);
    } else if (replica.published && replica.service->decoders != nullptr) {
      replica.service->decoders->KeepSpace(replica.address, replica.description.space_id());
    }
  }
}

}  // namespace terminus::services::router::discovery
