#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "common/base/check.h"

namespace terminus::models::kernels {

// Floats that begin at a cache line, zeros at first; moves, does not copy.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(int64_t size)
      : size_(size),
        data_(static_cast<float*>(std::aligned_alloc(64, (size * sizeof(float) + 63) / 64 * 64))) {
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

  int64_t size_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace terminus::models::kernels
