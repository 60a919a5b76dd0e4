#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Folders of models in memory, for tests that change them.
namespace terminus::tests {

// Content by path, which may lie in a folder.
using Files = std::map<std::string, std::string>;

void WriteFiles(const Files& files, const std::string& folder);

// A folder that can be served whole: one of each golden with its tokenizer and preprocessor, a
// language model, an EfficientNet, and a bundle of several.
struct WholeFolder {
  std::string name;
  Files files;
};
std::vector<WholeFolder> WholeFolders();

// The folders of tests/golden/models as they are: most lack a tokenizer or a preprocessor.
std::vector<WholeFolder> GoldenFolders();

// The inputs of the fuzz target fuzz_model_folder: files behind lines "== NAME".
std::vector<WholeFolder> FuzzFolders();

}  // namespace terminus::tests
