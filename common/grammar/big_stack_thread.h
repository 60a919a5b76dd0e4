#pragma once

#include <cstddef>
#include <functional>

namespace terminus::grammar {

// Runs `body` on a new thread that nobody joins, with a stack of so many bytes, of which only those
// that are used take memory. False when the system has no room for another thread.
bool StartDetached(size_t stack_bytes, std::function<void()> body);

}  // namespace terminus::grammar
