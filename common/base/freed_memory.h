#pragma once

#include <malloc.h>

namespace terminus::base {

// Gives back to the system what malloc keeps of memory that was freed. For phases that make and
// drop blocks of many sizes, megabytes each, such as loading a model: malloc keeps them for later
// ones, which they rarely fit. Takes well under a millisecond when there is little.
inline void ReturnFreedMemory() { malloc_trim(0); }

}  // namespace terminus::base
