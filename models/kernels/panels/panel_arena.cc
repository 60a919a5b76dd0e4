#include "models/kernels/panels/panel_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace terminus::models::kernels {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kHugePage = 2 << 20;

// Address space; what is not written to takes no memory.
constexpr int64_t kChunk = int64_t{256} << 20;

int64_t RoundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

}  // namespace

void PanelArena::Unmap::operator()(std::byte* data) const { munmap(data, bytes); }

std::byte* PanelArena::Allocate(int64_t bytes) {
  bytes = RoundUp(bytes, kLine);
  if (bytes > left_) {
    const int64_t size = RoundUp(std::max(bytes, kChunk), kHugePage) + kHugePage;
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
      throw std::bad_alloc();
    }
    chunks_.push_back({static_cast<std::byte*>(data), Unmap{size}});
    // An advice: without huge pages it only takes longer.
    static_cast<void>(madvise(data, size, MADV_HUGEPAGE));
    const int64_t address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data));
    const int64_t skipped = RoundUp(address, kHugePage) - address;
    next_ = chunks_.back().get() + skipped;
    left_ = size - skipped;
  }
  std::byte* const memory = next_;
  next_ += bytes;
  left_ -= bytes;
  return memory;
}

}  // namespace terminus::models::kernels
