#include "common/grammar/big_stack_thread.h"

#include <pthread.h>

#include <memory>
#include <utility>

#include "common/base/check.h"

namespace terminus::grammar {
namespace {

void* Run(void* body) {
  const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(body));
  (*owned)();
  return nullptr;
}

}  // namespace

bool StartDetached(size_t stack_bytes, std::function<void()> body) {
  pthread_attr_t attributes;
  TERMINUS_CHECK(pthread_attr_init(&attributes) == 0);
  TERMINUS_CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
  TERMINUS_CHECK(pthread_attr_setstacksize(&attributes, stack_bytes) == 0);
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, Run, owned.get()) == 0;
  if (started) {
    pthread_setname_np(thread, "grammar");
    static_cast<void>(owned.release());
  }
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace terminus::grammar
