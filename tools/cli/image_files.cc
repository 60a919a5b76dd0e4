#include "tools/cli/image_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/media/video_format.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> ReadHead(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return absl::ErrnoToStatus(errno, "cannot open it");
  }
  std::string head(12, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  return head;
}

}  // namespace

bool HasImageMagic(const std::string& head) {
  return absl::StartsWith(head, "\xff\xd8\xff") || absl::StartsWith(head, "\x89PNG\r\n\x1a\n") ||
         (head.size() >= 12 && absl::StartsWith(head, "RIFF") && head.substr(8, 4) == "WEBP");
}

bool HasImageExtension(const std::string& path) {
  const std::string extension = absl::AsciiStrToLower(fs::path(path).extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

bool HasVideoExtension(const std::string& path) {
  const std::string extension = absl::AsciiStrToLower(fs::path(path).extension().string());
  return extension == ".mp4" || extension == ".m4v" || extension == ".mov" ||
         extension == ".webm" || extension == ".mkv" || extension == ".gif";
}

absl::StatusOr<ImageFile> StatImage(const std::string& path, FileKinds kinds) {
  const bool videos = kinds == FileKinds::kImagesAndVideos;
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, path);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a file"));
  }
  if (info.st_size > kMaxImageFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", info.st_size, " bytes, at most ",
                                                   kMaxImageFileBytes, " can be sent"));
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string head, ReadHead(path));
  if (!HasImageMagic(head) && !(videos && media::SniffVideo(head).has_value())) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, info.st_size == 0 ? ": empty" : ": not a JPEG, PNG or WebP image",
                     info.st_size > 0 && videos ? ", nor an MP4, WebM or GIF video" : ""));
  }
  return ImageFile{.path = path,
                   .relative = path,
                   .bytes = info.st_size,
                   .modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

absl::StatusOr<ImageFolder> FindImages(const std::string& folder, FileKinds kinds,
                                       size_t max_files) {
  ImageFolder found;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, fs::directory_options::skip_permission_denied,
                                           error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the folder ", folder, ": ", error.message()));
  }
  for (; entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const fs::path& path = entries->path();
    if (absl::StartsWith(path.filename().string(), ".")) {
      entries.disable_recursion_pending();
      continue;
    }
    if (!entries->is_regular_file(error)) {
      continue;
    }
    const std::string relative = path.lexically_relative(folder).string();
    absl::StatusOr<ImageFile> image = StatImage(path.string(), kinds);
    if (image.ok()) {
      image->relative = relative;
      found.images.push_back(*std::move(image));
    } else if (HasImageExtension(relative) ||
               (kinds == FileKinds::kImagesAndVideos && HasVideoExtension(relative))) {
      std::string reason(image.status().message());
      const std::string prefix = path.string() + ": ";
      found.failed.push_back(
          {.relative = relative,
           .reason = absl::StartsWith(reason, prefix) ? reason.substr(prefix.size()) : reason});
    }
    if (found.images.size() > max_files) {
      return absl::ResourceExhaustedError(
          absl::StrCat(folder, " holds more than ", max_files, " files: search a part of it"));
    }
  }
  if (error) {
    return absl::InternalError(absl::StrCat("cannot read ", folder, ": ", error.message()));
  }
  const auto by_path = [](const auto& a, const auto& b) { return a.relative < b.relative; };
  std::sort(found.images.begin(), found.images.end(), by_path);
  std::sort(found.failed.begin(), found.failed.end(), by_path);
  return found;
}

}  // namespace terminus::tools::cli
