#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// Larger files are refused without being read: no message could carry them.
inline constexpr int64_t kMaxImageFileBytes = 60 << 20;

// An image, or a video where those are looked for too.
struct ImageFile {
  std::string path;
  // From the folder that was searched; the path itself for a single file.
  std::string relative;
  int64_t bytes = 0;
  // Of the last change, in nanoseconds since the epoch.
  int64_t modified_ns = 0;
};

struct FailedFile {
  std::string relative;
  std::string reason;
};

struct ImageFolder {
  // Sorted by relative path.
  std::vector<ImageFile> images;
  // What is named like an image but is none, cannot be read or is too large.
  std::vector<FailedFile> failed;
};

enum class FileKinds { kImages, kImagesAndVideos };

// True for the first bytes of a JPEG, PNG or WebP file; 12 are enough.
bool HasImageMagic(const std::string& head);

// True for names that end like those of the supported formats, in any case.
bool HasImageExtension(const std::string& path);
bool HasVideoExtension(const std::string& path);

// Finds the images, or the videos too, below a folder by their first bytes. Skips hidden files and
// folders, and does not follow links to folders. RESOURCE_EXHAUSTED past `max_files`.
absl::StatusOr<ImageFolder> FindImages(const std::string& folder,
                                       FileKinds kinds = FileKinds::kImages,
                                       size_t max_files = 1'000'000);

// One file by its path, or why it cannot be embedded.
absl::StatusOr<ImageFile> StatImage(const std::string& path, FileKinds kinds = FileKinds::kImages);

}  // namespace terminus::tools::cli
