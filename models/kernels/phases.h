#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

namespace terminus::models::kernels {

// Work in phases: the units of a phase may run at once, those of the next begin when all are done.
// One parallel region for all of them: to wake a thread for each phase would take longer than many
// a phase does, so threads wait for each other awake, and go to sleep only if that lasts. Units are
// taken one by one, so a thread that comes late or not at all costs its help, not the result.
//
// Calls run(phase, unit, worker) on the calling thread and LibTorch's, on each worker one at a
// time, 0 <= worker < at::get_num_threads(). `run` must not throw.
void RunPhases(absl::Span<const int> units,
               absl::FunctionRef<void(int phase, int unit, int worker)> run);

}  // namespace terminus::models::kernels
