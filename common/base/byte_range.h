#pragma once

#include <cstddef>

namespace terminus::base {

// The bytes of a text from `begin` up to but not including `end`.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

}  // namespace terminus::base
