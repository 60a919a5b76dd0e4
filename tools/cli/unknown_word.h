#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace terminus::tools::cli {

// After `app` failed to parse a command line: what its first unknown command or option is, and the
// nearest that there is, such as "unknown command 'stats'; the nearest is 'status'". Empty when no
// word was left over.
std::string DescribeUnknownWord(const CLI::App& app);

}  // namespace terminus::tools::cli
