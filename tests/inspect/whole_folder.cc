#include "tests/inspect/whole_folder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/temp_folder.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::tests {
namespace {

namespace fs = std::filesystem;
using models::checkpoint::ReadGolden;
using nlohmann::json;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> Sorted(const std::string& folder) {
  std::vector<fs::path> paths(fs::directory_iterator(folder), fs::directory_iterator{});
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The files of a golden's folder, its made-up weights included.
Files FilesOf(const json& golden) {
  const base::TempFolder folder;
  TERMINUS_CHECK(models::checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) {
      files[fs::relative(entry.path(), folder.path()).string()] = ReadAll(entry.path());
    }
  }
  return files;
}

// Words "w1", "w2", … below `words`, and the special tokens of a small tokenizer.
json WordTokenizer(int words) {
  json vocabulary = {{"[UNK]", 0}};
  for (int id = 1; id < words; ++id) {
    vocabulary[absl::StrCat("w", id)] = id;
  }
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", vocabulary}}}};
}

Files LanguageModel() {
  Files files = FilesOf(ReadGolden("llama_tied"));
  files["tokenizer.json"] = WordTokenizer(97).dump();
  files["tokenizer_config.json"] =
      json({{"chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}"},
            {"eos_token", "w2"},
            {"model_max_length", 256}})
          .dump();
  files["generation_config.json"] = json({{"eos_token_id", 2}, {"top_p", 0.9}}).dump();
  return files;
}

Files EfficientNet() {
  Files files = FilesOf(ReadGolden("tf_efficientnet_lite0"));
  files["preprocessor_config.json"] =
      json({{"size", {{"height", 64}, {"width", 64}}}, {"image_mean", 0.5}, {"image_std", 0.5}})
          .dump();
  return files;
}

void AddUnder(const std::string& folder, const Files& from, Files* files) {
  for (const auto& [name, content] : from) {
    (*files)[absl::StrCat(folder, "/", name)] = content;
  }
}

Files Bundle() {
  Files files;
  AddUnder("text", FilesOf(ReadGolden("served/bge")), &files);
  AddUnder("eyes", FilesOf(ReadGolden("served/resnet")), &files);
  AddUnder("talk", LanguageModel(), &files);
  const auto side = json::parse(files["text/config.json"])["hidden_size"].get<int>();
  files["bundle.yaml"] = absl::StrCat(
      "format: 1\nname: all\nspace: {id: 0123456789abcdef0123456789abcdef, dimension: ", side,
      "}\ntext: {path: text}\nvision: {path: eyes}\nvideo: {tower: eyes, frames: 4}\n"
      "decoder: {path: talk}\n");
  return files;
}

}  // namespace

void WriteFiles(const Files& files, const std::string& folder) {
  for (const auto& [name, content] : files) {
    models::checkpoint::WriteTestFile(absl::StrCat(folder, "/", name), content);
  }
}

std::vector<WholeFolder> WholeFolders() {
  std::vector<WholeFolder> folders;
  for (const fs::path& path : Sorted("tests/golden/models/served")) {
    const std::string name = absl::StrCat("served/", path.stem().string());
    folders.push_back({name, FilesOf(ReadGolden(name))});
  }
  folders.push_back({"language model", LanguageModel()});
  folders.push_back({"EfficientNet", EfficientNet()});
  folders.push_back({"bundle", Bundle()});
  return folders;
}

std::vector<WholeFolder> GoldenFolders() {
  std::vector<WholeFolder> folders;
  for (const fs::path& path : Sorted("tests/golden/models")) {
    if (path.extension() == ".json") {
      const std::string name = path.stem().string();
      folders.push_back({name, FilesOf(ReadGolden(name))});
    }
  }
  return folders;
}

std::vector<WholeFolder> FuzzFolders() {
  std::vector<WholeFolder> folders;
  for (const fs::path& path : Sorted("tests/fuzz/corpus/model_folder")) {
    // What the target writes where an input has no such file.
    Files files = {{"tokenizer.json", "{}"},
                   {"model.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10)}};
    std::string rest = absl::StrCat("\n", ReadAll(path));
    while (absl::StartsWith(rest, "\n== ")) {
      const size_t end = rest.find("\n== ", 1);
      const size_t line = rest.find('\n', 1);
      if (line < end) {
        const std::string name = rest.substr(4, line - 4);
        // Of the target's own names; a mutated one may hold anything.
        if (name.size() < 64 &&
            name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.0123456789P/") ==
                std::string::npos &&
            !absl::StrContains(name, "..") && !absl::StartsWith(name, "/") && !name.empty() &&
            !absl::EndsWith(name, "/")) {
          files[name] = rest.substr(line + 1, end == std::string::npos ? end : end - line - 1);
        }
      }
      rest = end == std::string::npos ? "" : rest.substr(end);
    }
    folders.push_back({path.filename().string(), files});
  }
  return folders;
}

}  // namespace terminus::tests
