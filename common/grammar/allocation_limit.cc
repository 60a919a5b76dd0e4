#include "common/grammar/allocation_limit.h"

#include <malloc.h>
#include <time.h>

#include <new>

#include "common/base/check.h"

namespace terminus::grammar {
namespace {

// The clock is read once in so many allocations.
constexpr int64_t kAllocationsPerCheck = 64;
// Destructors may allocate while the exception unwinds the stack: so many allocations do not throw
// again, because an exception that leaves a destructor ends the process.
constexpr int64_t kGraceAllocations = 10'000;

thread_local AllocationLimit* current = nullptr;

int64_t ThreadTimeNs() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// A duration may be infinite.
int64_t Plus(int64_t begin_ns, absl::Duration time) {
  return absl::ToInt64Nanoseconds(absl::Nanoseconds(begin_ns) + time);
}

}  // namespace

AllocationLimit::AllocationLimit(const Options& options)
    : options_(options), begin_ns_(ThreadTimeNs()), end_ns_(Plus(begin_ns_, options.cpu_time)) {
  TERMINUS_CHECK(current == nullptr);
  current = this;
}

AllocationLimit::~AllocationLimit() { current = nullptr; }

absl::Duration AllocationLimit::used_time() const {
  return absl::Nanoseconds(ThreadTimeNs() - begin_ns_);
}

AllocationLimit::Reason AllocationLimit::Exceeded(size_t bytes) const {
  if (allocations_ == fail_at_) {
    return Reason::kTest;
  }
  if (held_bytes_ + static_cast<int64_t>(bytes) > options_.bytes) {
    return Reason::kBytes;
  }
  if (allocations_ % kAllocationsPerCheck != 0) {
    return Reason::kNone;
  }
  if (options_.cancelled != nullptr && options_.cancelled->load(std::memory_order_relaxed)) {
    return Reason::kCancelled;
  }
  return ThreadTimeNs() > end_ns_ ? Reason::kTime : Reason::kNone;
}

void AllocationLimit::Check(size_t bytes) {
  ++allocations_;
  if (allocations_ < armed_from_) {
    return;
  }
  if (const Reason reason = Exceeded(bytes); reason != Reason::kNone) {
    reason_ = reason;
    armed_from_ = allocations_ + kGraceAllocations;
    throw LimitExceeded();
  }
}

void AllocationLimit::Allocated(void* memory) {
  held_bytes_ += static_cast<int64_t>(malloc_usable_size(memory));
}

void AllocationLimit::Freeing(void* memory) {
  held_bytes_ -= static_cast<int64_t>(malloc_usable_size(memory));
}

// The operators new and delete of the grammar library's code.
extern "C" {

void* terminus_grammar_new(size_t bytes) {
  AllocationLimit* const limit = current;
  if (limit == nullptr) {
    return ::operator new(bytes);
  }
  limit->Check(bytes);
  void* const memory = ::operator new(bytes);
  limit->Allocated(memory);
  return memory;
}

void terminus_grammar_delete(void* memory) {
  if (current != nullptr && memory != nullptr) {
    current->Freeing(memory);
  }
  ::operator delete(memory);
}

void terminus_grammar_delete_sized(void* memory, size_t /*bytes*/) {
  terminus_grammar_delete(memory);
}

}  // extern "C"
}  // namespace terminus::grammar
