#include "tools/cli/vector_index.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"

namespace terminus::tools::cli {
namespace {

// The file, all little-endian, the end being XXH3-64 of all before it:
//   magic, u32 space id length, space id, u32 run, u32 dimension,
//   u64 vectors, each: hash 16, u32 used, float32 × dimension,
//   u64 files, each: hash 16, content hash 16, u32 used,
//   u64 checksum
constexpr char kMagic[] = "TRMINDX1";
constexpr size_t kMagicBytes = 8;
// 100,000 vectors of 4,096 elements.
constexpr size_t kMaxFileBytes = size_t{1700} << 20;

class Writer {
 public:
  template <typename T>
  void Put(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void PutBytes(const void* data, size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  Reader(const char* data, size_t size) : data_(data), left_(size) {}

  template <typename T>
  bool Get(T& value) {
    return GetBytes(&value, sizeof(value));
  }
  bool GetBytes(void* to, size_t size) {
    if (size > left_) {
      return false;
    }
    std::memcpy(to, data_, size);
    data_ += size;
    left_ -= size;
    return true;
  }
  size_t left() const { return left_; }

 private:
  const char* data_;
  size_t left_;
};

// Keeps the `max` entries that were used last.
template <typename Map>
void DropOldest(Map& map, size_t max) {
  if (map.size() <= max) {
    return;
  }
  std::vector<uint32_t> uses;
  uses.reserve(map.size());
  for (const auto& [hash, entry] : map) {
    uses.push_back(entry.used);
  }
  const size_t drop = map.size() - max;
  std::nth_element(uses.begin(), uses.begin() + static_cast<ptrdiff_t>(drop) - 1, uses.end());
  const uint32_t last_dropped = uses[drop - 1];
  size_t dropped = 0;
  // First what is older for sure, then as many of the border's run as are still too many.
  for (const bool border : {false, true}) {
    for (auto it = map.begin(); it != map.end() && dropped < drop;) {
      const uint32_t used = it->second.used;
      if (border ? used == last_dropped : used < last_dropped) {
        it = map.erase(it);
        ++dropped;
      } else {
        ++it;
      }
    }
  }
}

}  // namespace

Hash128 HashOf(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {.low = hash.low64, .high = hash.high64};
}

VectorIndex VectorIndex::Load(const std::string& path, const std::string& space_id,
                              size_t max_vectors) {
  VectorIndex index(path, space_id, max_vectors);
  const absl::StatusOr<std::string> bytes = base::ReadFile(path, kMaxFileBytes);
  if (!bytes.ok() || !index.Read(*bytes)) {
    // A cache: what cannot be read is made anew.
    return VectorIndex(path, space_id, max_vectors);
  }
  ++index.run_;
  return index;
}

const std::vector<float>* VectorIndex::Find(const Hash128& content) {
  const auto found = vectors_.find(content);
  if (found == vectors_.end()) {
    return nullptr;
  }
  found->second.used = run_;
  return &found->second.values;
}

void VectorIndex::Put(const Hash128& content, std::vector<float> vector) {
  if (dimension_ == 0) {
    dimension_ = static_cast<uint32_t>(vector.size());
  }
  if (vector.empty() || vector.size() != dimension_) {
    return;
  }
  vectors_[content] = {.used = run_, .values = std::move(vector)};
  changed_ = true;
}

std::optional<Hash128> VectorIndex::FindFile(const Hash128& file) {
  const auto found = files_.find(file);
  if (found == files_.end()) {
    return std::nullopt;
  }
  found->second.used = run_;
  return found->second.content;
}

void VectorIndex::PutFile(const Hash128& file, const Hash128& content) {
  files_[file] = {.used = run_, .content = content};
  changed_ = true;
}

absl::Status VectorIndex::Save() {
  if (!changed_) {
    return absl::OkStatus();
  }
  DropOldest(vectors_, max_vectors_);
  // A content may be seen under several paths.
  DropOldest(files_, 2 * max_vectors_);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot make the folder of ", path_, ": ", error.message()));
  }
  changed_ = false;
  return base::WriteFileAtomic(path_, Write());
}

bool VectorIndex::Read(const std::string& bytes) {
  uint64_t checksum;
  if (bytes.size() < kMagicBytes + sizeof(checksum)) {
    return false;
  }
  const size_t checked = bytes.size() - sizeof(checksum);
  std::memcpy(&checksum, bytes.data() + checked, sizeof(checksum));
  if (std::memcmp(bytes.data(), kMagic, kMagicBytes) != 0 ||
      checksum != XXH3_64bits(bytes.data(), checked)) {
    return false;
  }
  Reader reader(bytes.data() + kMagicBytes, checked - kMagicBytes);
  uint32_t length = 0;
  if (!reader.Get(length) || length > reader.left()) {
    return false;
  }
  std::string space(length, '\0');
  uint64_t count = 0;
  if (!reader.GetBytes(space.data(), length) || space != space_id_ || !reader.Get(run_) ||
      !reader.Get(dimension_) || !reader.Get(count)) {
    return false;
  }
  for (uint64_t i = 0; i < count; ++i) {
    Hash128 hash;
    Vector vector;
    if (!reader.Get(hash) || !reader.Get(vector.used) ||
        dimension_ > reader.left() / sizeof(float)) {
      return false;
    }
    vector.values.resize(dimension_);
    reader.GetBytes(vector.values.data(), dimension_ * sizeof(float));
    vectors_[hash] = std::move(vector);
  }
  if (!reader.Get(count)) {
    return false;
  }
  for (uint64_t i = 0; i < count; ++i) {
    Hash128 hash;
    File file;
    if (!reader.Get(hash) || !reader.Get(file.content) || !reader.Get(file.used)) {
      return false;
    }
    files_[hash] = file;
  }
  return reader.left() == 0;
}

std::string VectorIndex::Write() const {
  Writer writer;
  writer.PutBytes(kMagic, kMagicBytes);
  writer.Put(static_cast<uint32_t>(space_id_.size()));
  writer.PutBytes(space_id_.data(), space_id_.size());
  writer.Put(run_);
  writer.Put(dimension_);
  writer.Put(static_cast<uint64_t>(vectors_.size()));
  for (const auto& [hash, vector] : vectors_) {
    writer.Put(hash);
    writer.Put(vector.used);
    writer.PutBytes(vector.values.data(), vector.values.size() * sizeof(float));
  }
  writer.Put(static_cast<uint64_t>(files_.size()));
  for (const auto& [hash, file] : files_) {
    writer.Put(hash);
    writer.Put(file.content);
    writer.Put(file.used);
  }
  writer.Put(static_cast<uint64_t>(XXH3_64bits(writer.bytes().data(), writer.bytes().size())));
  return std::move(writer.bytes());
}

}  // namespace terminus::tools::cli
