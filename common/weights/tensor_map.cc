#include "common/weights/tensor_map.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors_header.h"

namespace terminus::weights {
namespace {

namespace fs = std::filesystem;

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr size_t kMaxShards = 4096;

// Shard → the tensors that the index says are in it.
using Shards = std::map<std::string, std::vector<std::string>>;

absl::StatusOr<Shards> ReadIndex(const std::string& file) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(file, kMaxHeaderBytes));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": expected a JSON object with an object \"weight_map\""));
  }
  Shards shards;
  for (const auto& [name, shard] : json["weight_map"].items()) {
    // A shard lies beside its index: a downloaded index must not reach any other file.
    if (!shard.is_string() || absl::StrContains(shard.get_ref<const std::string&>(), '/') ||
        !absl::EndsWith(shard.get_ref<const std::string&>(), ".safetensors")) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": weight_map[\"", name,
                       "\"]: expected the name of a .safetensors file in this folder, found ",
                       shard.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    }
    shards[shard.get<std::string>()].push_back(name);
  }
  if (shards.empty() || shards.size() > kMaxShards) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": weight_map: expected 1 to ", kMaxShards,
                                                   " shards, found ", shards.size()));
  }
  return shards;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TensorMap>> TensorMap::Open(const std::string& path) {
  std::shared_ptr<TensorMap> map(new TensorMap(path));
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    TERMINUS_RETURN_IF_ERROR(map->AddFile(path));
    return map;
  }
  const fs::path folder(path);
  if (fs::exists(folder / kSingleFile, error)) {
    TERMINUS_RETURN_IF_ERROR(map->AddFile(folder / kSingleFile));
  } else if (fs::exists(folder / kIndexFile, error)) {
    TERMINUS_RETURN_IF_ERROR(map->AddShards(folder / kIndexFile));
  } else {
    return absl::NotFoundError(
        absl::StrCat(path, ": expected ", kSingleFile, " or ", kIndexFile, " in this folder"));
  }
  return map;
}

absl::Status TensorMap::AddFile(const std::string& file) {
  TERMINUS_ASSIGN_OR_RETURN(auto mapped, MappedFile::Open(file));
  auto tensors = ParseSafetensors(mapped->bytes());
  if (!tensors.ok()) return base::Annotate(tensors.status(), file);
  for (auto& [name, tensor] : *tensors) {
    if (!tensors_.try_emplace(name, std::move(tensor)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": tensor \"", name, "\" is also in another shard"));
    }
  }
  files_.push_back(std::move(mapped));
  return absl::OkStatus();
}

absl::Status TensorMap::AddShards(const std::string& index_file) {
  TERMINUS_ASSIGN_OR_RETURN(const Shards shards, ReadIndex(index_file));
  const fs::path folder = fs::path(index_file).parent_path();
  for (const auto& [shard, names] : shards) {
    TERMINUS_RETURN_IF_ERROR(AddFile(folder / shard));
    for (const std::string& name : names) {
      if (!tensors_.contains(name)) {
        return absl::InvalidArgumentError(
            absl::StrCat(index_file, ": tensor \"", name, "\" is not in ", shard));
      }
    }
  }
  return absl::OkStatus();
}

const TensorView* TensorMap::Find(absl::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::shared_ptr<const MappedFile> TensorMap::FileOf(const TensorView& tensor) const {
  const std::less_equal<> not_behind;
  const auto found = std::find_if(files_.begin(), files_.end(), [&](const auto& file) {
    return not_behind(file->bytes().begin(), tensor.data.begin()) &&
           not_behind(tensor.data.end(), file->bytes().end());
  });
  TERMINUS_CHECK(found != files_.end());
  return *found;
}

uint64_t TensorMap::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) bytes += tensor.data.size();
  return bytes;
}

std::vector<std::string> TensorMap::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace terminus::weights
