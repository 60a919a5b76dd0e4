#include "services/decoder/load/model_headers.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::load {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr uint64_t kMaxHeaderBytes = uint64_t{100} << 20;

// The length and the text of a safetensors header.
absl::StatusOr<std::string> ReadHeader(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  uint64_t bytes = 0;
  file.read(reinterpret_cast<char*>(&bytes), sizeof(bytes));
  if (!file || bytes > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": no safetensors header"));
  }
  std::string header(bytes, 0);
  file.read(header.data(), static_cast<std::streamsize>(bytes));
  if (!file) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": the header is cut off"));
  }
  return header;
}

}  // namespace

absl::StatusOr<std::string> FingerprintHeaders(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(std::string text,
                            base::ReadFile(folder + "/config.json", kMaxConfigBytes));
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string header, ReadHeader(file));
    absl::StrAppend(&text, "\n", file.filename().string(), " ",
                    std::filesystem::file_size(file, error), "\n", header);
  }
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace terminus::services::decoder::load
