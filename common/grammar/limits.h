#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace terminus::grammar {

// Bounds one grammar, from its source to the answers that follow it. The defaults are far above the
// needs of an ordinary schema.
struct Limits {
  size_t source_bytes = 64 << 10;
  // Processor time of the thread that compiles.
  absl::Duration compile_time = absl::Seconds(5);
  // Memory of a compilation.
  int64_t compile_bytes = 512 << 20;
  // Processor time for each token of an answer: to accept it, and to find those that may come
  // next. The other answers of a step wait for as long.
  absl::Duration token_time = absl::Milliseconds(50);
  // Memory for the state of one answer. It grows with the answer's length: by some KiB in a
  // thousand tokens with an ordinary schema.
  int64_t answer_bytes = 64 << 20;
};

}  // namespace terminus::grammar
