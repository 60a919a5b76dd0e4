#include <filesystem>
#include <utility>

#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/folder.h"
#include "common/tokenizer/limits.h"

namespace terminus::tokenizer {
namespace {

absl::StatusOr<absl::optional<std::string>> ReadIfThere(const std::string& path) {
  if (!std::filesystem::exists(path)) return absl::optional<std::string>();
  TERMINUS_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path, kMaxFileBytes));
  return absl::optional<std::string>(std::move(text));
}

}  // namespace

std::string FolderTokenizer::Special(const std::string& name) const {
  const auto found = special_tokens.find(name);
  return found == special_tokens.end() ? "" : found->second;
}

absl::StatusOr<FolderTokenizer> LoadFolder(const std::string& folder,
                                           const FolderOptions& options) {
  FolderFiles files{.folder = folder};
  TERMINUS_ASSIGN_OR_RETURN(files.tokenizer,
                            base::ReadFile(folder + "/tokenizer.json", kMaxFileBytes));
  TERMINUS_ASSIGN_OR_RETURN(files.tokenizer_config, ReadIfThere(folder + "/tokenizer_config.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.special_tokens_map,
                            ReadIfThere(folder + "/special_tokens_map.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.added_tokens, ReadIfThere(folder + "/added_tokens.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.config, ReadIfThere(folder + "/config.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.spiece_model, ReadIfThere(folder + "/spiece.model"));
  return LoadFiles(files, options);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  const std::filesystem::path file(path);
  if (file.filename() == "tokenizer.json") {
    const std::string parent = file.has_parent_path() ? file.parent_path().string() : ".";
    TERMINUS_ASSIGN_OR_RETURN(FolderTokenizer folder, LoadFolder(parent, FolderOptions{}));
    return std::move(folder.tokenizer);
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string json, base::ReadFile(path, kMaxFileBytes));
  auto tokenizer = FromJson(json);
  if (!tokenizer.ok()) return base::Annotate(tokenizer.status(), path);
  return tokenizer;
}

}  // namespace terminus::tokenizer
