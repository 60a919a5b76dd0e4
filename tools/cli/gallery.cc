#include "tools/cli/gallery.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tools/cli/bulk.h"
#include "tools/cli/progress.h"
#include "tools/cli/state_folder.h"
#include "tools/cli/vector_index.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;

// The space's id comes from the cluster and becomes a file's name.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c));
  });
}

Hash128 FileKey(const ImageFile& image) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(image.path, error);
  return HashOf(absl::StrCat(path.string(), "\n", image.bytes, "\n", image.modified_ns));
}

void DropOldIndexes(const std::string& folder, size_t max_spaces) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".bin") {
      files.emplace_back(entry.last_write_time(error), entry.path());
    }
  }
  std::sort(files.rbegin(), files.rend());
  for (size_t i = max_spaces; i < files.size(); ++i) {
    fs::remove(files[i].second, error);
  }
}

// Tells EmbedBulk's count to a Progress, which shows only once there is something to wait for.
class BulkProgress {
 public:
  BulkProgress(const char* what, size_t total, bool show) {
    if (show && total > 0) {
      progress_ =
          std::make_unique<Progress>(ProgressTo(stderr, what, static_cast<int64_t>(total)), stderr);
    }
  }
  void operator()(size_t done) const {
    if (progress_ != nullptr) {
      progress_->Update(static_cast<int64_t>(done));
    }
  }

 private:
  std::unique_ptr<Progress> progress_;
};

BulkOptions MakeBulkOptions(const Client& client, const GalleryOptions& options) {
  return {.stall_timeout = client.timeout(), .retry_delay = options.retry_delay};
}

// Videos are looked for only where something can see them.
FileKinds KindsServed(const v1::GetStatusResponse& status) {
  return std::any_of(status.replicas().begin(), status.replicas().end(),
                     [](const v1::ReplicaStatus& replica) { return replica.service() == "video"; })
             ? FileKinds::kImagesAndVideos
             : FileKinds::kImages;
}

// Embeds the images of one folder with the help of an index.
class FolderEmbedder {
 public:
  FolderEmbedder(const Client& client, const GalleryOptions& options, VectorIndex& index,
                 std::vector<ImageFile>& images)
      : client_(client), options_(options), index_(index), images_(images) {
    vectors_.resize(images.size());
    errors_.resize(images.size());
    hashes_.resize(images.size());
  }

  absl::Status Run(const std::string& space_id) {
    std::vector<size_t> pending;
    for (size_t i = 0; i < images_.size(); ++i) {
      const std::optional<Hash128> hash = index_.FindFile(FileKey(images_[i]));
      if (!hash.has_value() || !TakeFromIndex(i, *hash)) {
        pending.push_back(i);
      }
    }
    BulkProgress progress("embedding images", pending.size(), options_.show_progress);
    absl::StatusOr<BulkResult> bulk = EmbedBulk(
        client_.embedding(), pending.size(), [&](size_t i) { return LoadImage(pending[i]); },
        MakeBulkOptions(client_, options_), progress);
    if (!bulk.ok()) {
      return client_.Explain(bulk.status());
    }
    if (!bulk->space_id.empty() && bulk->space_id != space_id) {
      return absl::AbortedError(absl::StrCat("the cluster changed its space from ", space_id,
                                             " to ", bulk->space_id, " meanwhile: try again"));
    }
    for (size_t i = 0; i < pending.size(); ++i) {
      Keep(pending[i], bulk->items[i]);
    }
    return absl::OkStatus();
  }

  // Moves what was found into the gallery.
  void Finish(Gallery& gallery) {
    for (size_t i = 0; i < images_.size(); ++i) {
      if (errors_[i].ok()) {
        gallery.images.push_back(std::move(images_[i]));
        gallery.vectors.push_back(std::move(vectors_[i]));
      } else {
        gallery.failed.push_back(
            {.relative = images_[i].relative, .reason = std::string(errors_[i].message())});
      }
    }
    gallery.computed = computed_;
  }

 private:
  bool TakeFromIndex(size_t image, const Hash128& hash) {
    const std::vector<float>* vector = index_.Find(hash);
    if (vector == nullptr) {
      return false;
    }
    vectors_[image] = *vector;
    return true;
  }

  // ALREADY_EXISTS when the content's vector is known, so that it is not sent.
  absl::StatusOr<v1::Content> LoadImage(size_t image) {
    TERMINUS_ASSIGN_OR_RETURN(std::string bytes,
                              base::ReadFile(images_[image].path, kMaxImageFileBytes));
    hashes_[image] = HashOf(bytes);
    if (TakeFromIndex(image, hashes_[image])) {
      return absl::AlreadyExistsError("known");
    }
    return ContentOfFile(std::move(bytes));
  }

  void Keep(size_t image, BulkItem& item) {
    if (absl::IsAlreadyExists(item.status)) {
      index_.PutFile(FileKey(images_[image]), hashes_[image]);
      return;
    }
    errors_[image] = item.status;
    if (item.status.ok()) {
      ++computed_;
      vectors_[image] = item.vector;
      index_.Put(hashes_[image], std::move(item.vector));
      index_.PutFile(FileKey(images_[image]), hashes_[image]);
    }
  }

  const Client& client_;
  const GalleryOptions& options_;
  VectorIndex& index_;
  std::vector<ImageFile>& images_;
  std::vector<std::vector<float>> vectors_;
  std::vector<absl::Status> errors_;
  std::vector<Hash128> hashes_;
  size_t computed_ = 0;
};

}  // namespace

void PrintFailed(const char* what, const std::vector<FailedFile>& failed) {
  constexpr size_t kMaxLines = 10;
  for (size_t i = 0; i < std::min(failed.size(), kMaxLines); ++i) {
    std::fprintf(stderr, "terminus: %s: %s: %s\n", what, failed[i].relative.c_str(),
                 failed[i].reason.c_str());
  }
  if (failed.size() > kMaxLines) {
    std::fprintf(stderr, "terminus: %s: %zu more, see --json\n", what, failed.size() - kMaxLines);
  }
}

std::string DefaultIndexFolder() { return TerminusHome() + "/index"; }

absl::StatusOr<Gallery> EmbedFolder(const Client& client, const std::string& folder,
                                    const GalleryOptions& options) {
  TERMINUS_ASSIGN_OR_RETURN(const v1::GetStatusResponse status, client.GetStatus());
  TERMINUS_ASSIGN_OR_RETURN(ImageFolder found, FindImages(folder, KindsServed(status)));
  Gallery gallery{.failed = std::move(found.failed), .space_id = status.space_id()};
  const bool keep = !options.index_folder.empty() && IsPlainName(status.space_id());
  VectorIndex index = VectorIndex::Load(
      keep ? absl::StrCat(options.index_folder, "/", status.space_id(), ".bin") : "",
      status.space_id());
  FolderEmbedder embedder(client, options, index, found.images);
  const absl::Status embedded = embedder.Run(status.space_id());
  if (!embedded.ok()) {
    return embedded;
  }
  embedder.Finish(gallery);
  if (keep) {
    // Without it the next search is slower, this one is not wrong.
    if (absl::Status saved = index.Save(); !saved.ok()) {
      std::fprintf(stderr, "terminus: %s\n", std::string(saved.message()).c_str());
    }
    DropOldIndexes(options.index_folder, options.max_spaces);
  }
  std::sort(gallery.failed.begin(), gallery.failed.end(),
            [](const FailedFile& a, const FailedFile& b) { return a.relative < b.relative; });
  return gallery;
}

absl::StatusOr<std::vector<std::vector<float>>> EmbedTexts(const Client& client,
                                                           const std::vector<std::string>& texts,
                                                           const GalleryOptions& options) {
  BulkProgress progress("embedding texts", texts.size(), options.show_progress);
  absl::StatusOr<BulkResult> bulk = EmbedBulk(
      client.embedding(), texts.size(),
      [&](size_t i) -> absl::StatusOr<v1::Content> {
        v1::Content content;
        content.set_text(texts[i]);
        return content;
      },
      MakeBulkOptions(client, options), progress);
  if (!bulk.ok()) {
    return client.Explain(bulk.status());
  }
  std::vector<std::vector<float>> vectors;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!bulk->items[i].status.ok()) {
      return absl::Status(bulk->items[i].status.code(),
                          absl::StrCat("'", texts[i], "': ", bulk->items[i].status.message()));
    }
    vectors.push_back(std::move(bulk->items[i].vector));
  }
  return vectors;
}

}  // namespace terminus::tools::cli
