#include "tools/cli/table.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace terminus::tools::cli {
namespace {

// Characters, not bytes: those that go on a UTF-8 sequence take no column.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], Width(row[column]));
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t column = 0; column < row.size(); ++column) {
      text += row[column];
      if (column + 1 < row.size()) {
        text.append(widths[column] - Width(row[column]) + 2, ' ');
      }
    }
    text += '\n';
  }
  return text;
}

}  // namespace terminus::tools::cli
