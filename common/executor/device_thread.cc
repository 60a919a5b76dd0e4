#include "common/executor/device_thread.h"

#include <ATen/Parallel.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

namespace terminus::executor {

DeviceThread::DeviceThread(std::string name, size_t max_queued) : queue_(max_queued) {
  name.resize(std::min<size_t>(name.size(), 15));
  thread_ = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.c_str());
    // OpenMP keeps its number of threads for each calling thread apart; oneDNN asks it directly.
    at::init_num_threads();
    while (auto closure = queue_.Pop()) {
      (*closure)();
    }
  });
}

DeviceThread::~DeviceThread() {
  queue_.Close();
  thread_.join();
}

bool DeviceThread::TryRun(std::function<void()> closure) {
  return queue_.TryPush(std::move(closure));
}

}  // namespace terminus::executor
