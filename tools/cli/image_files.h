#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// Larger files are refused without being read: no message could carry them.
inline constexpr int64_t kMaxImageFileBytes = 60 << 20;

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

// True for the first bytes of a JPEG, PNG or WebP file; 12 are enough.
bool HasImageMagic(const std::string& head);

// True for names that end like those of the supported formats, in any case.
bool HasImageExtension(const std::string& path);

// Finds the images below a folder by their first bytes. Skips hidden files and folders, and does
// not follow links to folders. RESOURCE_EXHAUSTED past `max_images`.
absl::StatusOr<ImageFolder> FindImages(const std::string& folder, size_t max_images = 1'000'000);

// One image file by its path, or why it cannot be embedded.
absl::StatusOr<ImageFile> StatImage(const std::string& path);

}  // namespace terminus::tools::cli
