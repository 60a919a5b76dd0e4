#include "common/base/recycled_bytes.h"

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"

namespace terminus::base {
namespace {

constexpr size_t kMinBytes = size_t{1} << 20;
constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr size_t kMaxBlocks = 4;

bool IsRecycled(size_t bytes) { return bytes >= kMinBytes && bytes <= kMaxBytes; }

// A quarter of the power of two below is the step, so that blocks of about a size are of one.
size_t Rounded(size_t bytes) {
  size_t power = kMinBytes;
  while (power * 2 <= bytes) {
    power *= 2;
  }
  const size_t step = power / 4;
  return (bytes + step - 1) / step * step;
}

class Blocks {
 public:
  // Null when there is none of that size.
  void* Take(size_t bytes) {
    const MutexLock lock(mutex_);
    const auto found = std::find_if(free_.begin(), free_.end(),
                                    [&](const Block& block) { return block.bytes == bytes; });
    if (found == free_.end()) {
      return nullptr;
    }
    void* const memory = found->memory;
    free_.erase(found);
    return memory;
  }

  // Returns the block that goes for it, if one must: the one that has been there longest.
  void* Give(void* memory, size_t bytes) {
    const MutexLock lock(mutex_);
    free_.push_back({memory, bytes});
    if (free_.size() <= kMaxBlocks) {
      return nullptr;
    }
    void* const oldest = free_.front().memory;
    free_.erase(free_.begin());
    return oldest;
  }

 private:
  struct Block {
    void* memory;
    size_t bytes;
  };

  Mutex mutex_;
  std::vector<Block> free_ ABSL_GUARDED_BY(mutex_);
};

// Never destroyed: vectors may outlive whatever is.
Blocks& FreeBlocks() {
  static auto* const blocks = new Blocks();
  return *blocks;
}

}  // namespace

void* TakeBlock(size_t bytes) {
  if (!IsRecycled(bytes)) {
    return ::operator new(bytes);
  }
  void* const block = FreeBlocks().Take(Rounded(bytes));
  return block != nullptr ? block : ::operator new(Rounded(bytes));
}

void GiveBlock(void* block, size_t bytes) {
  ::operator delete(IsRecycled(bytes) ? FreeBlocks().Give(block, Rounded(bytes)) : block);
}

}  // namespace terminus::base
