#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "common/base/check.h"

namespace terminus::models::kernels {

// Floats that begin at a cache line, zeros at first; moves, does not copy. Many of them lie in huge
// pages where the system has them: a weight is streamed through, and every page of 4 KB would cost
// a translation and stop the prefetcher.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(int64_t size) : size_(size), data_(Allocate(size)) {
    TERMINUS_CHECK(size == 0 || data_ != nullptr);
    std::fill_n(data_.get(), size, 0.0f);
  }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* floats) const { std::free(floats); }
  };

  static float* Allocate(int64_t size) {
    constexpr size_t kLine = 64;
    constexpr size_t kHugePage = 2 << 20;
    const size_t bytes = size * sizeof(float);
    const size_t unit = bytes < kHugePage ? kLine : kHugePage;
    const size_t whole = (bytes + unit - 1) / unit * unit;
    void* const floats = std::aligned_alloc(unit, whole);
    if (unit == kHugePage && floats != nullptr) {
      // No more than a wish: a system without them says no.
      madvise(floats, whole, MADV_HUGEPAGE);
    }
    return static_cast<float*>(floats);
  }

  int64_t size_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace terminus::models::kernels
