#include "tools/cli/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace terminus::tools::cli {

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t column = 0; column < row.size(); ++column) {
      text += row[column];
      if (column + 1 < row.size()) {
        text.append(widths[column] - row[column].size() + 2, ' ');
      }
    }
    text += '\n';
  }
  return text;
}

}  // namespace terminus::tools::cli
