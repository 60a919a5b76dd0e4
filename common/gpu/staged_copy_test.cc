#include "common/gpu/staged_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <string>

namespace terminus::gpu {
namespace {

using testing::HasSubstr;

constexpr uint64_t kSlot = 64;

// A GPU in host memory that is as late as it may be: a copy happens when somebody waits for an
// event behind it, so that a slot which is filled too early spoils what came out of it before.
class FakeGpu {
 public:
  FakeGpu() { current = this; }
  ~FakeGpu() { current = nullptr; }

  const TerminusGpuApi& api() const { return kApi; }

  // Calls, counted from 1 over all threads, from which on each fails; 0: never.
  std::atomic<int> fail_allocation = 0;
  std::atomic<int> fail_copy = 0;
  std::atomic<int> fail_record = 0;
  std::atomic<int> fail_wait = 0;

  std::atomic<uint64_t> pinned = 0;  // Bytes, now.
  std::atomic<uint64_t> most_pinned = 0;
  std::atomic<int> events = 0;  // That exist.
  std::atomic<int> devices_chosen = 0;

 private:
  struct Pending {
    void* to;
    const void* from;
    uint64_t bytes;
  };

  static bool Fails(std::atomic<int>& countdown) {
    if (countdown == 0) return false;
    if (countdown > 1) return --countdown, false;
    return true;
  }

  // Mutex held.
  void RunUntil(uint64_t count) {
    for (; done_ < count; ++done_) {
      const Pending& copy = copies_[done_];
      std::memcpy(copy.to, copy.from, copy.bytes);
    }
  }

  static const char* ErrorText(int) { return "fake error"; }
  static int SetDevice(int device) {
    current->devices_chosen += device == 3 ? 1 : 100;
    return 0;
  }
  static int AllocateHost(uint64_t bytes, void** memory) {
    if (Fails(current->fail_allocation)) return 2;
    *memory = new std::byte[bytes];
    current->sizes_[*memory] = bytes;
    current->pinned += bytes;
    current->most_pinned = std::max<uint64_t>(current->most_pinned, current->pinned);
    return 0;
  }
  static int ReleaseHost(void* memory) {
    current->pinned -= current->sizes_[memory];
    delete[] static_cast<std::byte*>(memory);
    return 0;
  }
  static int Copy(void* to, const void* from, uint64_t bytes, void*) {
    const base::MutexLock lock(current->mutex_);
    if (Fails(current->fail_copy)) return 700;
    current->copies_.push_back({to, from, bytes});
    return 0;
  }
  static int CreateEvent(void** event) {
    ++current->events;
    *event = new uint64_t(0);
    return 0;
  }
  static int DestroyEvent(void* event) {
    --current->events;
    delete static_cast<uint64_t*>(event);
    return 0;
  }
  static int RecordEvent(void* event, void*) {
    const base::MutexLock lock(current->mutex_);
    if (Fails(current->fail_record)) return 700;
    *static_cast<uint64_t*>(event) = current->copies_.size();
    return 0;
  }
  static int WaitEvent(void* event) {
    const base::MutexLock lock(current->mutex_);
    if (Fails(current->fail_wait)) return 700;
    current->RunUntil(*static_cast<uint64_t*>(event));
    return 0;
  }
  static int WaitStream(void*) {
    const base::MutexLock lock(current->mutex_);
    current->RunUntil(current->copies_.size());
    return 0;
  }

  static constexpr TerminusGpuApi kApi = {.version = TERMINUS_GPU_API_VERSION,
                                          .error_text = ErrorText,
                                          .set_device = SetDevice,
                                          .allocate_host = AllocateHost,
                                          .release_host = ReleaseHost,
                                          .copy = Copy,
                                          .wait_stream = WaitStream,
                                          .create_event = CreateEvent,
                                          .destroy_event = DestroyEvent,
                                          .record_event = RecordEvent,
                                          .wait_event = WaitEvent};
  static FakeGpu* current;

  base::Mutex mutex_;
  std::vector<Pending> copies_;
  uint64_t done_ = 0;  // The first so many happened.
  std::map<void*, uint64_t> sizes_;
};

FakeGpu* FakeGpu::current = nullptr;

class StagedCopyTest : public testing::Test {
 protected:
  std::unique_ptr<StagedCopy> Make(int threads, int slots) {
    auto copy = StagedCopy::Create(
        gpu_.api(), {.device = 3, .threads = threads, .slot_bytes = kSlot, .slots = slots});
    EXPECT_TRUE(copy.ok()) << copy.status();
    return *std::move(copy);
  }

  static std::string Source(uint64_t bytes, int seed) {
    std::string source(bytes, '\0');
    for (uint64_t i = 0; i < bytes; ++i) {
      source[i] = static_cast<char>(i * 7 + i / kSlot + seed);
    }
    return source;
  }

  static absl::Status Copy(StagedCopy& copy, const std::string& from, std::string* to) {
    to->resize(from.size());
    return copy.Copy(to->data(), from.size(), nullptr,
                     [&](uint64_t offset, absl::Span<std::byte> out) {
                       std::memcpy(out.data(), from.data() + offset, out.size());
                       return absl::OkStatus();
                     });
  }

  FakeGpu gpu_;
};

TEST_F(StagedCopyTest, CopiesSizesAroundSlots) {
  const uint64_t sizes[] = {0,         1,         kSlot - 1,     kSlot,     kSlot + 1,
                            2 * kSlot, 7 * kSlot, 7 * kSlot + 3, 50 * kSlot};
  for (const int threads : {1, 2, 5}) {
    std::vector<std::string> from;
    std::vector<std::string> to(std::size(sizes));
    {
      const auto copy = Make(threads, 6);
      for (size_t i = 0; i < std::size(sizes); ++i) {
        from.push_back(Source(sizes[i], static_cast<int>(i)));
        ASSERT_TRUE(Copy(*copy, from[i], &to[i]).ok());
      }
      EXPECT_EQ(gpu_.most_pinned, 6 * kSlot);
    }
    EXPECT_EQ(to, from) << threads << " threads";
    EXPECT_EQ(gpu_.pinned, 0u);
    EXPECT_EQ(gpu_.events, 0);
  }
  // Each helper, once.
  EXPECT_EQ(gpu_.devices_chosen, 0 + 1 + 4);
}

TEST_F(StagedCopyTest, ASlotIsFilledAgainOnlyWhenItsCopyIsDone) {
  // Two slots for 100 chunks: all but the first two wait for a copy.
  const std::string from = Source(100 * kSlot, 0);
  std::string to;
  ASSERT_TRUE(Copy(*Make(2, 2), from, &to).ok());
  EXPECT_EQ(to, from);
}

TEST_F(StagedCopyTest, TheFillersErrorIsReturnedAndEndsTheCopy) {
  for (const int threads : {1, 3}) {
    std::string to(40 * kSlot, '\0');
    std::atomic<int> fills = 0;
    const auto copy = Make(threads, 4);
    const absl::Status status =
        copy->Copy(to.data(), to.size(), nullptr, [&](uint64_t offset, absl::Span<std::byte>) {
          ++fills;
          return offset == 5 * kSlot ? absl::DataLossError("file: ends at byte 320")
                                     : absl::OkStatus();
        });
    EXPECT_EQ(status, absl::DataLossError("file: ends at byte 320"));
    if (threads == 1) {  // Others may be far ahead.
      EXPECT_EQ(fills, 6);
    }
    std::string more;
    EXPECT_EQ(Copy(*copy, "more", &more), status);
  }
}

TEST_F(StagedCopyTest, ErrorsOfTheGpuAreReturned) {
  const std::string from = Source(40 * kSlot, 0);
  std::string to;
  const auto error_with = [&](std::atomic<int>& failure, int at) {
    const auto copy = Make(3, 4);
    failure = at;
    const absl::Status status = Copy(*copy, from, &to);
    failure = 0;
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    return std::string(status.message());
  };
  EXPECT_EQ(error_with(gpu_.fail_copy, 7), "GPU 3: copying: fake error");
  EXPECT_EQ(error_with(gpu_.fail_record, 7), "GPU 3: recording an event: fake error");
  EXPECT_EQ(error_with(gpu_.fail_wait, 7), "GPU 3: waiting for a copy: fake error");
  EXPECT_EQ(gpu_.pinned, 0u);
  EXPECT_EQ(gpu_.events, 0);
}

TEST_F(StagedCopyTest, WithoutPinnedMemoryThereIsNone) {
  gpu_.fail_allocation = 1;
  const auto copy = StagedCopy::Create(gpu_.api(), {.slot_bytes = kSlot, .slots = 8});
  EXPECT_EQ(copy.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(copy.status().message()),
              HasSubstr("512 bytes of pinned memory: fake error"));
}

}  // namespace
}  // namespace terminus::gpu
