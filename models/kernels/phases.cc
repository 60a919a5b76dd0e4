#include "models/kernels/phases.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace terminus::models::kernels {
namespace {

// Some 200 to 500 µs: longer than the units of a phase should differ, even where one is disturbed,
// for to wake a thread takes about as long; shorter than a time slice.
constexpr int kTurns = 10000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Until `done` has reached `wanted`.
void Await(const std::atomic<int>& done, int wanted) {
  int now = done.load(std::memory_order_acquire);
  for (int turn = 0; now < wanted && turn < kTurns; ++turn) {
    Pause();
    now = done.load(std::memory_order_acquire);
  }
  while (now < wanted) {
    done.wait(now, std::memory_order_acquire);
    now = done.load(std::memory_order_acquire);
  }
}

}  // namespace

void RunPhases(absl::Span<const int> units,
               absl::FunctionRef<void(int phase, int unit, int worker)> run) {
  // Units count through all phases; those of phase i are [begins[i], begins[i + 1]).
  std::vector<int> begins = {0};
  int most = 1;
  for (const int count : units) {
    begins.push_back(begins.back() + count);
    most = std::max(most, count);
  }
  std::atomic<int> next = 0;
  std::atomic<int> done = 0;
  const auto work = [&](int64_t worker, int64_t) {
    size_t phase = 0;
    for (int unit = next++; unit < begins.back(); unit = next++) {
      while (unit >= begins[phase + 1]) {
        ++phase;
      }
      // All units before this phase are taken, so they will be done.
      Await(done, begins[phase]);
      run(static_cast<int>(phase), unit - begins[phase], static_cast<int>(worker));
      done.fetch_add(1, std::memory_order_release);
      done.notify_all();
    }
  };
  // A range of several workers, where there are fewer threads than hoped for, is one worker.
  at::parallel_for(0, std::min(at::get_num_threads(), most), 1, work);
}

}  // namespace terminus::models::kernels
