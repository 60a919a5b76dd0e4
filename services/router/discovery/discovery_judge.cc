// The part of Discovery that decides which replicas fit, and what the cluster serves by what they
// say.

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/router/discovery/discovery.h"
#include "services/router/discovery/space.h"

namespace terminus::services::router::discovery {

Event Discovery::Judge(const Replica& replica, std::string& detail) {
  const v1::DescribeResponse& description = replica.description;
  if (absl::Status kind = CheckKind(description, replica.service->modality); !kind.ok()) {
    detail = std::string(kind.message());
    return Event::kMismatch;
  }
  const std::shared_ptr<const dispatch::ServedModel> served = catalog_->model();
  if (pinned_ && served == nullptr) {
    // The model was unloaded: it is there, and gets nothing to do.
    return Event::kAccepted;
  }
  if (!HasModel(description)) {
    return JudgeIdle(replica, detail);
  }
  const auto holds = [&](const Replica& other) {
    // Only text may outvote, and only those that are not text.
    return &other != &replica && IsAccepted(other.state) && HasModel(other.description) &&
           (description.modality() != v1::MODALITY_TEXT ||
            other.service->modality == v1::MODALITY_TEXT);
  };
  if (served != nullptr && (pinned_ || std::any_of(replicas_.begin(), replicas_.end(), holds))) {
    if (absl::Status space = CheckSpace(description, *served); !space.ok()) {
      detail = std::string(space.message());
      return Event::kMismatch;
    }
  }
  Adopt(replica);
  return Event::kAccepted;
}

Event Discovery::JudgeIdle(const Replica& replica, std::string& detail) {
  const std::shared_ptr<const dispatch::ServedModel> served = catalog_->model();
  if (pinned_) {
    if (served->Takes(replica.service->modality)) {
      // It was restarted with a folder that has no part for it.
      detail = absl::StrCat("it serves nothing, the cluster serves '", served->name, "'");
      return Event::kMismatch;
    }
    return Event::kAccepted;
  }
  const auto is_accepted = [&](const Replica& other) {
    return &other == &replica || IsAccepted(other.state);
  };
  const bool any_model = std::any_of(replicas_.begin(), replicas_.end(), [&](const Replica& other) {
    return is_accepted(other) && HasModel(other.description);
  });
  // Until each service has a replica, one of those that still load may bring a model.
  const bool all_known =
      std::all_of(options_.services.begin(), options_.services.end(), [&](const auto& service) {
        return std::any_of(replicas_.begin(), replicas_.end(), [&](const Replica& other) {
          return other.service == &service && is_accepted(other);
        });
      });
  if (!any_model && all_known) {
    catalog_->Clear();
  } else if (any_model && served != nullptr) {
    dispatch::ServedModel changed = *served;
    changed.lacks = Lacks(replica);
    if (changed.lacks != served->lacks) {
      catalog_->Set(std::move(changed));
    }
  }
  return Event::kAccepted;
}

std::vector<v1::Modality> Discovery::Lacks(const Replica& newcomer) const {
  std::vector<v1::Modality> lacks;
  for (const ServiceSpec& service : options_.services) {
    bool any_idle = false;
    bool any_model = false;
    for (const Replica& replica : replicas_) {
      if (replica.service == &service && (&replica == &newcomer || IsAccepted(replica.state))) {
        (HasModel(replica.description) ? any_model : any_idle) = true;
      }
    }
    if (any_idle && !any_model) {
      lacks.push_back(service.modality);
    }
  }
  return lacks;
}

void Discovery::Adopt(const Replica& replica) {
  const std::shared_ptr<const dispatch::ServedModel> known = catalog_->model();
  dispatch::ServedModel merged =
      Merge(replica.description, known != nullptr ? *known : dispatch::ServedModel());
  if (pinned_ && known != nullptr) {
    // The name that was asked for, not the bundle's own.
    merged.name = known->name;
  } else {
    merged.lacks = Lacks(replica);
  }
  if (replica.service->decoders != nullptr) {
    merged.generates = replica.decoder.generates();
    merged.max_context = static_cast<int>(replica.decoder.max_context());
  }
  catalog_->Set(std::move(merged));
  const std::shared_ptr<const dispatch::ServedModel> served = catalog_->model();
  for (Replica& other : replicas_) {
    if (&other != &replica && IsAccepted(other.state) && HasModel(other.description)) {
      if (absl::Status space = CheckSpace(other.description, *served); !space.ok()) {
        Apply(other, Event::kMismatch, std::string(space.message()));
      }
    }
  }
}

}  // namespace terminus::services::router::discovery
