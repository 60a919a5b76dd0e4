#include "services/router/loading/host_calls.h"

#include <algorithm>

namespace terminus::services::router::loading {

void Cancellation::Raise() {
  base::MutexLock lock(mutex_);
  raised_ = true;
  for (grpc::ClientContext* context : contexts_) {
    context->TryCancel();
  }
}

bool Cancellation::raised() const {
  base::MutexLock lock(mutex_);
  return raised_;
}

void Cancellation::Add(grpc::ClientContext* context) {
  base::MutexLock lock(mutex_);
  contexts_.push_back(context);
  if (raised_) {
    context->TryCancel();
  }
}

void Cancellation::Remove(grpc::ClientContext* context) {
  base::MutexLock lock(mutex_);
  contexts_.erase(std::find(contexts_.begin(), contexts_.end(), context));
}

}  // namespace terminus::services::router::loading
