#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace terminus::models::kernels {

// Memory for the weights of a model, one behind the other in huge pages where the system has them:
// all of it is read from one end to the other at every step. Given back when the arena goes. Used
// by one thread at a time.
class PanelArena {
 public:
  // Zeros, aligned to a cache line. Throws std::bad_alloc when there is no memory.
  std::byte* Allocate(int64_t bytes);

 private:
  struct Unmap {
    int64_t bytes;
    void operator()(std::byte* data) const;
  };

  std::vector<std::unique_ptr<std::byte[], Unmap>> chunks_;
  std::byte* next_ = nullptr;
  int64_t left_ = 0;
};

}  // namespace terminus::models::kernels
