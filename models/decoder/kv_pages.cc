#include "models/decoder/kv_pages.h"

#include <sys/mman.h>

#include <new>

#include "models/decoder/kv_view.h"
#include "models/decoder/memory_plan.h"

namespace terminus::models::decoder {

static_assert(kKvBlockTokens == kernels::kPageTokens);

KvPages::KvPages(int layers, int blocks, int kv_heads, int head_dim)
    : layers_(layers), blocks_(blocks), kv_heads_(kv_heads), head_dim_(head_dim) {
  const int64_t bytes = blocks * block_bytes();
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    throw std::bad_alloc();
  }
  data_ = {static_cast<float*>(data), Unmap{bytes}};
}

void KvPages::Unmap::operator()(float* data) const { munmap(data, bytes); }

kernels::KvPages KvPages::layer(int64_t index) const {
  kernels::KvPages pages{.kv_heads = kv_heads_, .head_dim = head_dim_};
  const int64_t floats = blocks_ * pages.page_floats();
  pages.keys = data_.get() + 2 * index * floats;
  pages.values = pages.keys + floats;
  return pages;
}

int64_t KvPages::block_bytes() const {
  return KvBlockBytes(layers_, kv_heads_, head_dim_, sizeof(float));
}

}  // namespace terminus::models::decoder
