#pragma once

#include <string>
#include <vector>

namespace terminus::tools::cli {

// Rows in aligned columns, each as wide as its widest cell; the last column is not padded. Every
// row ends with a newline.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace terminus::tools::cli
