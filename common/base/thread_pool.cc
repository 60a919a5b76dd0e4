#include "common/base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "common/base/check.h"

namespace terminus::base {

ThreadPool::ThreadPool(std::string name, int threads, size_t max_queued) : queue_(max_queued) {
  TERMINUS_CHECK(threads > 0);
  name.resize(std::min<size_t>(name.size(), 15));
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] {
      pthread_setname_np(pthread_self(), name.c_str());
      while (auto task = queue_.Pop()) {
        (*task)();
      }
    });
  }
}

ThreadPool::~ThreadPool() {
  queue_.Close();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

bool ThreadPool::TrySchedule(std::function<void()> task) { return queue_.TryPush(std::move(task)); }

void ThreadPool::ParallelFor(int count, absl::FunctionRef<void(int)> body) {
  // Helpers may start after the call has returned (they then find no index left), so what they
  // touch before that check is shared, and `body` is touched only by those that got an index.
  struct State {
    std::atomic<int> next{0};
    Mutex mutex;
    CondVar all_done;
    int done = 0;
  };
  auto state = std::make_shared<State>();
  auto work = [state, count, body] {
    for (int i = state->next++; i < count; i = state->next++) {
      body(i);
      MutexLock lock(state->mutex);
      if (++state->done == count) {
        state->all_done.NotifyAll();
      }
    }
  };
  for (int i = 0; i < std::min(count - 1, size()); ++i) {
    TrySchedule(work);
  }
  work();
  MutexLock lock(state->mutex);
  while (state->done < count) {
    state->all_done.Wait(state->mutex);
  }
}

}  // namespace terminus::base
