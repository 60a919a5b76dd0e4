#pragma once

#include <xxhash.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"

namespace terminus::tools::cli {

// XXH3-128 of some bytes.
struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;

  friend bool operator==(const Hash128&, const Hash128&) = default;
};

Hash128 HashOf(const std::string& bytes);

// Vectors of one space by the hash of what they are of, and the hashes of files by how the file
// was last seen, so that a folder searched before is neither sent nor read again. Kept in one file;
// what was not used for the longest is dropped past the limit. Not thread-safe.
class VectorIndex {
 public:
  // Starts empty when the file is missing, damaged, or of another space or dimension.
  static VectorIndex Load(const std::string& path, const std::string& space_id,
                          size_t max_vectors = 100'000);

  // Null when unknown. Valid until the next Put.
  const std::vector<float>* Find(const Hash128& content);
  // All vectors have the same dimension; one of another is not taken.
  void Put(const Hash128& content, std::vector<float> vector);

  // The content's hash when a file was seen before with the same path, size and time of change.
  std::optional<Hash128> FindFile(const Hash128& file);
  void PutFile(const Hash128& file, const Hash128& content);

  // Writes the file in one step, and its folder if needed. Does nothing when nothing is new.
  absl::Status Save();

  size_t size() const { return vectors_.size(); }

 private:
  struct Hasher {
    size_t operator()(const Hash128& hash) const { return hash.low; }
  };
  struct Vector {
    // The run, counted over the index's life, that used it last.
    uint32_t used = 0;
    std::vector<float> values;
  };
  struct File {
    uint32_t used = 0;
    Hash128 content;
  };

  VectorIndex(std::string path, std::string space_id, size_t max_vectors)
      : path_(std::move(path)), space_id_(std::move(space_id)), max_vectors_(max_vectors) {}

  bool Read(const std::string& bytes);
  std::string Write() const;

  std::string path_;
  std::string space_id_;
  size_t max_vectors_;
  uint32_t run_ = 1;
  uint32_t dimension_ = 0;
  bool changed_ = false;
  std::unordered_map<Hash128, Vector, Hasher> vectors_;
  std::unordered_map<Hash128, File, Hasher> files_;
};

}  // namespace terminus::tools::cli
