#include "common/executor/guard.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <exception>
#include <new>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace terminus::executor {
namespace {

absl::Status FromError(const c10::Error& error) {
  // The first line only: the rest is a stack trace of LibTorch.
  std::string message = error.what_without_backtrace();
  message = message.substr(0, message.find('\n'));
  // The CPU allocator has no exception type of its own.
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
      absl::StrContains(message, "DefaultCPUAllocator: ")) {
    return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", message));
  }
  return absl::InternalError(absl::StrCat("LibTorch: ", message));
}

}  // namespace

absl::Status RunGuarded(absl::FunctionRef<absl::Status()> body) {
  try {
    const c10::InferenceMode inference;
    return body();
  } catch (const c10::Error& error) {
    return FromError(error);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

void SetComputeThreads(int threads) {
  if (threads <= 0) {
    threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }
  at::set_num_threads(threads);
}

}  // namespace terminus::executor
