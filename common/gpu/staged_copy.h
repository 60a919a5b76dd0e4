#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/mutex.h"
#include "common/gpu/gpu_api.h"

namespace terminus::gpu {

// Copies what lies in files to a GPU: several threads fill slots of pinned memory, each slot is on
// its way as soon as it is full, and is filled again once it has arrived. So the host holds a
// bounded number of bytes at a time, and reading and the bus are both kept busy.
//
//   slot:  free → being filled → on its way → (its event has happened) free
//
// Used by one thread at a time, whose current GPU is `device` whenever it calls. The table must
// outlive the object.
class StagedCopy {
 public:
  struct Options {
    int device = 0;
    // Threads that fill slots, the caller's included.
    int threads = 8;
    // One copy's bytes. A matrix of a few slots is still shared by several threads.
    uint64_t slot_bytes = uint64_t{2} << 20;
    // At least as many as threads, each of which works on one at a time.
    int slots = 64;
  };

  // Fills `out` with the bytes from `offset` on of what is being copied; called on any of the
  // threads, on several at a time.
  using Fill = absl::FunctionRef<absl::Status(uint64_t offset, absl::Span<std::byte> out)>;

  // Takes slots · slot_bytes of pinned memory. RESOURCE_EXHAUSTED when that is not to be had.
  static absl::StatusOr<std::unique_ptr<StagedCopy>> Create(const TerminusGpuApi& api,
                                                            const Options& options);

  // Waits for what is on its way.
  ~StagedCopy();
  StagedCopy(const StagedCopy&) = delete;
  StagedCopy& operator=(const StagedCopy&) = delete;

  // Copies `bytes` bytes to `to` on the device, in the order of `stream`, and returns when the last
  // of them are on their way: what is put into the stream afterwards finds them. After an error, of
  // `fill` or of CUDA (INTERNAL), what `to` holds is undefined, and every later call returns it
  // too.
  absl::Status Copy(void* to, uint64_t bytes, void* stream, Fill fill);

 private:
  struct Slot {
    std::byte* memory = nullptr;
    void* event = nullptr;  // Of the last copy out of it.
    bool on_its_way = false;
  };

  struct Job {
    std::byte* to = nullptr;
    uint64_t bytes = 0;
    void* stream = nullptr;
    const Fill* fill = nullptr;
    uint64_t next = 0;  // The first byte that no thread has taken.
    int working = 0;    // Threads at work on a slot.
  };

  StagedCopy(const TerminusGpuApi& api, const Options& options) : api_(api), options_(options) {}

  absl::Status Prepare();
  void HelperLoop();
  // Takes slots' worth of the job until none is left or something failed.
  void WorkOnJob() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool JobIsTaken() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FillAndSend(const Job& job, uint64_t offset, uint64_t bytes, Slot& slot) const;
  absl::Status Check(int error, const char* what) const;

  const TerminusGpuApi& api_;
  const Options options_;
  void* memory_ = nullptr;  // All slots', one behind the other.
  std::vector<Slot> slots_;

  base::Mutex mutex_;
  base::CondVar job_came_;
  base::CondVar slot_done_;
  std::deque<Slot*> free_ ABSL_GUARDED_BY(mutex_);  // The one sent longest ago first.
  Job job_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> helpers_;
};

}  // namespace terminus::gpu
