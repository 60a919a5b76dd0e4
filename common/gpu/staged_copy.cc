#include "common/gpu/staged_copy.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace terminus::gpu {

absl::StatusOr<std::unique_ptr<StagedCopy>> StagedCopy::Create(const TerminusGpuApi& api,
                                                               const Options& options) {
  TERMINUS_CHECK(options.threads >= 1 && options.slots >= options.threads &&
                 options.slot_bytes > 0);
  std::unique_ptr<StagedCopy> copy(new StagedCopy(api, options));
  TERMINUS_RETURN_IF_ERROR(copy->Prepare());
  return copy;
}

absl::Status StagedCopy::Prepare() {
  const uint64_t bytes = options_.slot_bytes * static_cast<uint64_t>(options_.slots);
  if (const int error = api_.allocate_host(bytes, &memory_); error != 0) {
    memory_ = nullptr;
    return absl::ResourceExhaustedError(
        absl::StrCat(bytes, " bytes of pinned memory: ", api_.error_text(error)));
  }
  for (int i = 0; i < options_.slots; ++i) {
    Slot slot{.memory = static_cast<std::byte*>(memory_) + options_.slot_bytes * i};
    TERMINUS_RETURN_IF_ERROR(Check(api_.create_event(&slot.event), "creating an event"));
    slots_.push_back(slot);
  }
  {
    const base::MutexLock lock(mutex_);
    for (Slot& slot : slots_) free_.push_back(&slot);
  }
  for (int i = 1; i < options_.threads; ++i) {
    helpers_.emplace_back([this] { HelperLoop(); });
  }
  return absl::OkStatus();
}

StagedCopy::~StagedCopy() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    job_came_.NotifyAll();
  }
  for (std::thread& helper : helpers_) helper.join();
  // Errors that come only now concern copies whose results nobody has looked at: whoever uses them
  // finds the device in error.
  for (const Slot& slot : slots_) {
    if (slot.on_its_way) api_.wait_event(slot.event);
    api_.destroy_event(slot.event);
  }
  if (memory_ != nullptr) api_.release_host(memory_);
}

absl::Status StagedCopy::Check(int error, const char* what) const {
  if (error == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("GPU ", options_.device, ": ", what, ": ", api_.error_text(error)));
}

absl::Status StagedCopy::Copy(void* to, uint64_t bytes, void* stream, Fill fill) {
  const base::MutexLock lock(mutex_);
  if (!status_.ok()) return status_;
  job_ = {.to = static_cast<std::byte*>(to), .bytes = bytes, .stream = stream, .fill = &fill};
  // What fits into one slot is not worth waking anybody.
  if (bytes > options_.slot_bytes) job_came_.NotifyAll();
  WorkOnJob();
  while (job_.working > 0) slot_done_.Wait(mutex_);
  job_ = {};
  return status_;
}

bool StagedCopy::JobIsTaken() const { return !status_.ok() || job_.next >= job_.bytes; }

void StagedCopy::HelperLoop() {
  const absl::Status device = Check(api_.set_device(options_.device), "choosing it");
  const base::MutexLock lock(mutex_);
  status_.Update(device);
  while (!stopping_) {
    if (JobIsTaken()) {
      job_came_.Wait(mutex_);
    } else {
      WorkOnJob();
    }
  }
}

void StagedCopy::WorkOnJob() {
  while (!JobIsTaken()) {
    const Job job = job_;
    const uint64_t size = std::min(options_.slot_bytes, job.bytes - job.next);
    job_.next += size;
    ++job_.working;
    // There is one: a thread has one at a time, and no thread goes on after an error.
    Slot* const slot = free_.front();
    free_.pop_front();
    mutex_.Unlock();
    const absl::Status status = FillAndSend(job, job.next, size, *slot);
    mutex_.Lock();
    free_.push_back(slot);
    status_.Update(status);
    if (--job_.working == 0) slot_done_.NotifyOne();
  }
}

absl::Status StagedCopy::FillAndSend(const Job& job, uint64_t offset, uint64_t bytes,
                                     Slot& slot) const {
  if (slot.on_its_way) {
    TERMINUS_RETURN_IF_ERROR(Check(api_.wait_event(slot.event), "waiting for a copy"));
    slot.on_its_way = false;
  }
  TERMINUS_RETURN_IF_ERROR((*job.fill)(offset, {slot.memory, bytes}));
  TERMINUS_RETURN_IF_ERROR(
      Check(api_.copy(job.to + offset, slot.memory, bytes, job.stream), "copying"));
  slot.on_its_way = true;
  if (const int error = api_.record_event(slot.event, job.stream); error != 0) {
    // The event says nothing of this copy, so it is waited for here.
    api_.wait_stream(job.stream);
    slot.on_its_way = false;
    return Check(error, "recording an event");
  }
  return absl::OkStatus();
}

}  // namespace terminus::gpu
