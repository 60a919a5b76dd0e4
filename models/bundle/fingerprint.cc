#include "models/bundle/fingerprint.h"

#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/weights/mapped_file.h"

namespace terminus::models::bundle {

namespace fs = std::filesystem;

// What is in memory of a file at a time: the model made of it may be there already.
constexpr uint64_t kPiece = uint64_t{8} << 20;

absl::StatusOr<std::string> Fingerprint(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(folder, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const std::string extension = it->path().extension().string();
    const bool counts = extension == ".json" || extension == ".safetensors" ||
                        it->path().filename() == "spiece.model";
    if (it->is_regular_file() && counts) {
      names.push_back(fs::relative(it->path(), folder).string());
    }
  }
  if (error) {
    return absl::UnknownError(absl::StrCat(folder, ": ", error.message()));
  }
  std::sort(names.begin(), names.end());
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  for (const std::string& name : names) {
    TERMINUS_ASSIGN_OR_RETURN(const auto file, weights::MappedFile::Open(folder + "/" + name));
    const uint64_t size = file->bytes().size();
    // With their lengths, so that no two lists of files run together into the same bytes.
    XXH3_128bits_update(state.get(), name.c_str(), name.size() + 1);
    XXH3_128bits_update(state.get(), &size, sizeof(size));
    for (uint64_t offset = 0; offset < size; offset += kPiece) {
      const auto piece = file->bytes().subspan(offset, kPiece);
      file->ReadAhead(piece);
      XXH3_128bits_update(state.get(), piece.data(), piece.size());
      file->Release(piece);
    }
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace terminus::models::bundle
