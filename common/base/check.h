#pragma once

namespace terminus::base {

// Prints the message with its place and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace terminus::base

// For our own bugs only; whatever input can cause is an absl::Status.
#define TERMINUS_CHECK(condition)                                    \
  do {                                                               \
    if (!(condition)) {                                              \
      ::terminus::base::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                                \
  } while (false)
