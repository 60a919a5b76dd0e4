// Writes or checks the tables of keys in docs/models.md and docs/tokenizers.md, between the two
// marks of each.
//
// usage: settings_docs --write|--check models|tokenizers FILE

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/tokenizer/folder_settings.h"
#include "models/settings/tables.h"

namespace {

constexpr char kBegin[] = "<!-- Keys: made by settings_docs --write, from the declarations. -->\n";
constexpr char kEnd[] = "<!-- End of the keys. -->\n";
constexpr size_t kMaxBytes = 4 << 20;
constexpr int kHeadingLevel = 3;

using terminus::settings::Table;

// The tables of a page; none for a name that is no page's.
std::vector<const Table*> TablesOf(const std::string& page) {
  const auto of_tokenizers = terminus::tokenizer::AllTables();
  std::vector<const Table*> tables(of_tokenizers.begin(), of_tokenizers.end());
  if (page == "tokenizers") return tables;
  if (page != "models") return {};
  std::vector<const Table*> others;
  for (const Table* table : terminus::models::settings::AllTables()) {
    if (std::find(tables.begin(), tables.end(), table) == tables.end()) others.push_back(table);
  }
  return others;
}

std::string Format(const std::vector<const Table*>& tables) {
  std::string text = "\n";
  for (const auto* table : tables) {
    absl::StrAppend(&text, terminus::settings::FormatMarkdown(*table, kHeadingLevel, tables), "\n");
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const auto tables = TablesOf(argc == 4 ? argv[2] : "");
  if (tables.empty()) {
    std::fprintf(stderr, "usage: settings_docs --write|--check models|tokenizers FILE\n");
    return 2;
  }
  const std::string path = argv[3];
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
      absl::StrCat(text->substr(0, begin), kBegin, Format(tables), text->substr(end));
  if (expected == *text) {
    return 0;
  }
  if (std::string(argv[1]) != "--write") {
    std::fprintf(stderr, "%s is not as the declarations say; run settings_docs --write %s %s\n",
                 path.c_str(), argv[2], path.c_str());
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
