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
  // Null until the first replica has been described, and while no model is loaded. Stays when
  // replicas go.
  std::shared_ptr<const dispatch::ServedModel> model() const {
    base::MutexLock lock(mutex_);
    return model_;
  }

  // Whether replicas were there and had no model, or had theirs taken away.
  bool unloaded() const {
    base::MutexLock lock(mutex_);
    return unloaded_;
  }

  void Set(dispatch::ServedModel model) {
    if (model.use == nullptr) {
      model.use = std::make_shared<const dispatch::ModelUse>();
    }
    Put(std::make_shared<const dispatch::ServedModel>(std::move(model)));
  }

  void Clear() { Put(nullptr); }

 private:
  void Put(std::shared_ptr<const dispatch::ServedModel> model) {
    base::MutexLock lock(mutex_);
    model_ = std::move(model);
    unloaded_ = model_ == nullptr;
  }

  mutable base::Mutex mutex_;
  std::shared_ptr<const dispatch::ServedModel> model_ ABSL_GUARDED_BY(mutex_);
  bool unloaded_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace terminus::services::router::discovery
