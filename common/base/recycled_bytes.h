#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace terminus::base {

// Blocks of a mebibyte and more that were freed, for whoever next wants one of about that size:
// what the system gives anew must be cleared and mapped page by page first, which takes longer than
// to fill it with pixels. Keeps four blocks at most, of 64 MiB each at most. Thread-safe.
void* TakeBlock(size_t bytes);
// What TakeBlock(bytes) returned.
void GiveBlock(void* block, size_t bytes);

// For vectors that are large, short-lived and written once: memory comes from those blocks, and new
// elements have no value until one is assigned.
template <class T>
struct RecyclingAllocator {
  using value_type = T;

  RecyclingAllocator() = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>& /*other*/) {
  }  // NOLINT(google-explicit-constructor)

  T* allocate(size_t count) { return static_cast<T*>(TakeBlock(count * sizeof(T))); }
  void deallocate(T* block, size_t count) { GiveBlock(block, count * sizeof(T)); }

  template <class U>
  void construct(U* place) noexcept {
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }

  friend bool operator==(const RecyclingAllocator&, const RecyclingAllocator&) { return true; }
  friend bool operator!=(const RecyclingAllocator&, const RecyclingAllocator&) { return false; }
};

using RecycledBytes = std::vector<uint8_t, RecyclingAllocator<uint8_t>>;

}  // namespace terminus::base
