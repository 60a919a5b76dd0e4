#pragma once

#include <cstdint>
#include <memory>

#include "models/kernels/paged/paged_attention.h"

namespace terminus::models::decoder {

// The memory for keys and values on the CPU. What no token was written to takes no memory yet.
class KvPages {
 public:
  KvPages(int layers, int blocks, int kv_heads, int head_dim);

  kernels::KvPages layer(int64_t index) const;

  int blocks() const { return blocks_; }
  // Of all layers.
  int64_t block_bytes() const;

 private:
  struct Unmap {
    int64_t bytes;
    void operator()(float* data) const;
  };

  int layers_;
  int blocks_;
  int kv_heads_;
  int head_dim_;
  std::unique_ptr<float[], Unmap> data_;  // [layers, 2, blocks, page]
};

}  // namespace terminus::models::decoder
