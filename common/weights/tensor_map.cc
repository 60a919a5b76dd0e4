#include "common/weights/tensor_map.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"
#include "common/settings/table.h"
#include "common/weights/index_keys.h"
#include "common/weights/safetensors_header.h"

namespace terminus::weights {
namespace {

namespace fs = std::filesystem;

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr size_t kMaxShards = 4096;

// A JSON object whose keys are those of an index. The error says the line and the column of what is
// no JSON.
absl::StatusOr<nlohmann::json> ReadJson(const std::string& file) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(file, kMaxHeaderBytes));
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": ", error.what()));
  }
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": not a JSON object"));
  }
  settings::Findings findings;
  settings::CheckKeys(json, kIndexKeys, /*prefix=*/"", &findings);
  if (!findings.unknown.empty()) {
    settings::Warn(absl::StrCat(
        file, ": unknown keys, not looked at: ", absl::StrJoin(findings.unknown, ", ")));
  }
  return json;
}

// Which shards a checkpoint has, and which of them has which tensor, as its index says.
struct Index {
  std::set<std::string> shards;
  std::map<std::string, std::string> shard_of;
};

absl::StatusOr<Index> ReadIndex(const std::string& file) {
  TERMINUS_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(file));
  settings::NoteRead(kIndexKeys, "weight_map");
  if (!json.contains("weight_map") || !json["weight_map"].is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": weight_map: expected an object"));
  }
  if (json.contains("metadata") && !json["metadata"].is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": metadata: expected an object"));
  }
  Index index;
  for (const auto& [name, shard] : json["weight_map"].items()) {
    // A shard lies beside its index: a downloaded index must not reach any other file.
    if (!shard.is_string() || absl::StrContains(shard.get_ref<const std::string&>(), '/') ||
        !absl::EndsWith(shard.get_ref<const std::string&>(), ".safetensors")) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": weight_map[\"", name,
                       "\"]: expected the name of a .safetensors file in this folder, found ",
                       shard.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    }
    index.shards.insert(shard.get<std::string>());
    index.shard_of[name] = shard.get<std::string>();
  }
  if (index.shards.empty() || index.shards.size() > kMaxShards) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": weight_map: expected 1 to ", kMaxShards,
                                                   " shards, found ", index.shards.size()));
  }
  return index;
}

bool IsSame(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.data == b.data;
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

absl::StatusOr<TensorMap::Tensors> TensorMap::MapFile(const std::string& file) {
  TERMINUS_ASSIGN_OR_RETURN(auto mapped, MappedFile::Open(file));
  auto tensors = ParseSafetensors(mapped->bytes());
  if (!tensors.ok()) return base::Annotate(tensors.status(), file);
  files_.push_back(std::move(mapped));
  return *std::move(tensors);
}

absl::Status TensorMap::AddFile(const std::string& file) {
  TERMINUS_ASSIGN_OR_RETURN(Tensors tensors, MapFile(file));
  for (auto& [name, tensor] : tensors) {
    tensors_.emplace(name, std::move(tensor));
  }
  return absl::OkStatus();
}

absl::Status TensorMap::AddShards(const std::string& index_file) {
  TERMINUS_ASSIGN_OR_RETURN(const Index index, ReadIndex(index_file));
  const fs::path folder = fs::path(index_file).parent_path();
  std::map<std::string, std::string> holders;  // The shard whose tensor counts so far.
  std::set<std::string> found;                 // Tensors that are where the index says.
  for (const std::string& shard : index.shards) {
    auto tensors = MapFile(folder / shard);
    if (!tensors.ok()) return base::Annotate(tensors.status(), index_file);
    for (auto& [name, tensor] : *tensors) {
      const auto named = index.shard_of.find(name);
      const bool is_named = named != index.shard_of.end();
      const bool counts = !is_named || named->second == shard;
      if (is_named && counts) found.insert(name);
      const auto [at, is_new] = tensors_.try_emplace(name, tensor);
      if (!is_new && !IsSame(at->second, tensor)) {
        const std::string& holder = holders[name];
        warnings_.push_back(absl::StrCat(
            index_file, ": tensor \"", name, "\" is in ", holder, " and in ", shard,
            " with other values; those of ", counts ? shard : holder, " are used, ",
            is_named ? "as weight_map says" : "the last, as weight_map does not name it",
            // It looks at the shards alone, in the order of their names, and keeps the last.
            counts ? "" : absl::StrCat(", while transformers uses those of ", shard)));
      }
      if (is_new || counts) {
        at->second = std::move(tensor);
        holders[name] = shard;
      }
    }
  }
  for (const auto& [name, shard] : index.shard_of) {
    if (!found.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(index_file, ": tensor \"", name, "\" is not in ", shard));
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
