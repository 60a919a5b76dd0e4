#pragma once

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "services/router/dispatch/encode_task.h"

namespace terminus::services::router::discovery {

// What is served just now. Thread-safe; readers keep what they got for as long as they need it.
class Catalog {
 public:
  // Null until the first replica has been described. Stays when replicas go.
  std::shared_ptr<const dispatch::ServedModel> model() const {
    base::MutexLock lock(mutex_);
    return model_;
  }

  void Set(dispatch::ServedModel model) {
    auto shared = std::make_shared<const dispatch::ServedModel>(std::move(model));
    base::MutexLock lock(mutex_);
    model_ = std::move(shared);
  }

 private:
  mutable base::Mutex mutex_;
  std::shared_ptr<const dispatch::ServedModel> model_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace terminus::services::router::discovery
