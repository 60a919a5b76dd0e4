#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace terminus::executor {

// Runs `body` and turns what it throws into a status: running out of memory, host's or device's,
// into RESOURCE_EXHAUSTED, all else into INTERNAL. The only place that catches LibTorch's
// exceptions. Autograd is off inside.
absl::Status RunGuarded(absl::FunctionRef<absl::Status()> body);

// Sets how many threads LibTorch computes with, in this process; 0: all cores.
void SetComputeThreads(int threads);

}  // namespace terminus::executor
