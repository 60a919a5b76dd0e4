#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/weights/mapped_file.h"
#include "common/weights/tensor_view.h"

namespace terminus::weights {

// Named tensors over one or more mapped safetensors files. Immutable: any thread may read it. Its
// views are valid as long as the map lives.
class TensorMap {
 public:
  // `path` is a safetensors file, or a folder that holds model.safetensors or, without that, the
  // shards that model.safetensors.index.json lists. Errors name the file and the place in it.
  //
  // All tensors of the shards count, also those that the index does not name. Of a tensor that is
  // in several shards, the one counts whose shard the index names; the last, if it names none.
  static absl::StatusOr<std::shared_ptr<const TensorMap>> Open(const std::string& path);

  // Null when there is no such tensor.
  const TensorView* Find(absl::string_view name) const;

  // The file that a tensor's data, which is not empty, lies in.
  std::shared_ptr<const MappedFile> FileOf(const TensorView& tensor) const;

  // Sorted.
  std::vector<std::string> names() const;

  // Of all tensors' data.
  uint64_t bytes() const;

  // What a user should know though nothing is wrong with it: a tensor that two shards hold with
  // different values.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // As given to Open, for messages.
  const std::string& path() const { return path_; }

 private:
  explicit TensorMap(std::string path) : path_(std::move(path)) {}

  using Tensors = std::vector<std::pair<std::string, TensorView>>;

  // Keeps the file mapped.
  absl::StatusOr<Tensors> MapFile(const std::string& file);
  absl::Status AddFile(const std::string& file);
  absl::Status AddShards(const std::string& index_file);

  const std::string path_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  absl::flat_hash_map<std::string, TensorView> tensors_;
  std::vector<std::string> warnings_;
};

}  // namespace terminus::weights
