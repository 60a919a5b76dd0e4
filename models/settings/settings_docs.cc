// Writes or checks the tables of keys in docs/models.md, between its two marks.
//
// usage: settings_docs --write FILE | --check FILE

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "models/settings/tables.h"

namespace {

constexpr char kBegin[] = "<!-- Keys: made by settings_docs --write, from the declarations. -->\n";
constexpr char kEnd[] = "<!-- End of the keys. -->\n";
constexpr size_t kMaxBytes = 4 << 20;
constexpr int kHeadingLevel = 3;

std::string Tables() {
  std::string text = "\n";
  const auto tables = terminus::models::settings::AllTables();
  for (const auto* table : tables) {
    absl::StrAppend(&text, terminus::settings::FormatMarkdown(*table, kHeadingLevel, tables), "\n");
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: settings_docs --write FILE | --check FILE\n");
    return 2;
  }
  const std::string path = argv[2];
  const auto text = terminus::base::ReadFile(path, kMaxBytes);
  if (!text.ok()) {
    std::fprintf(stderr, "%s\n", text.status().ToString().c_str());
    return 1;
  }
  const size_t begin = text->find(kBegin);
  const size_t end = text->find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    std::fprintf(stderr, "%s: the marks around the keys are missing\n", path.c_str());
    return 1;
  }
  const std::string expected =
      absl::StrCat(text->substr(0, begin), kBegin, Tables(), text->substr(end));
  if (expected == *text) {
    return 0;
  }
  if (std::string(argv[1]) != "--write") {
    std::fprintf(stderr, "%s is not as the declarations say; run settings_docs --write %s\n",
                 path.c_str(), path.c_str());
    return 1;
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) {
    std::perror(path.c_str());
    return 1;
  }
  const bool written = std::fwrite(expected.data(), 1, expected.size(), file) == expected.size();
  return std::fclose(file) == 0 && written ? 0 : 1;
}
