#pragma once

#include <string>
#include <vector>

namespace terminus::base {

// The known name nearest to `name` by edit distance, the first of several; empty when none is
// known. For messages about what was probably meant.
std::string Nearest(const std::string& name, const std::vector<std::string>& known);

}  // namespace terminus::base
