#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/inspect/whole_folder.h"

namespace terminus::tests {

// A folder that was whole, and what was done to it.
struct BrokenFolder {
  std::string name;
  Files files;
};

// One of `whole`, changed once to three times: a file is missing, cut off, empty, mutated, taken
// from another folder, or swapped with another; a value of a JSON file has another type or size, or
// is gone; a tensor has another name, dtype or shape; the weights are cut into shards with an
// index. The same for the same seed.
BrokenFolder Break(const std::vector<WholeFolder>& whole, uint32_t seed);

}  // namespace terminus::tests
