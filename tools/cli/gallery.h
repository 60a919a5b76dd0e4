#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/cli/client.h"
#include "tools/cli/image_files.h"

namespace terminus::tools::cli {

struct GalleryOptions {
  // Folder of the files that keep vectors between runs, one a space. Empty: none are kept.
  std::string index_folder;
  // Spaces of which vectors are kept; the files unchanged for the longest go.
  size_t max_spaces = 4;
  // Says on stderr how far it is.
  bool show_progress = true;
  absl::Duration retry_delay = absl::Milliseconds(500);
};

// The images of a folder with their vectors, and its videos where the cluster takes them.
struct Gallery {
  // Sorted by relative path; vectors[i] belongs to images[i].
  std::vector<ImageFile> images;
  std::vector<std::vector<float>> vectors;
  std::vector<FailedFile> failed;
  std::string space_id;
  // How many of the vectors were computed now; the others were kept from before.
  size_t computed = 0;
};

// Finds and embeds all images (and videos) below `folder`. An image that cannot be embedded is
// listed as failed; it is an error when the cluster cannot be reached or changes its space
// meanwhile.
absl::StatusOr<Gallery> EmbedFolder(const Client& client, const std::string& folder,
                                    const GalleryOptions& options);

// Vectors of many texts, in order; an error when any cannot be embedded.
absl::StatusOr<std::vector<std::vector<float>>> EmbedTexts(const Client& client,
                                                           const std::vector<std::string>& texts,
                                                           const GalleryOptions& options);

// Lists failed files on stderr: the first ten, and how many more there are.
void PrintFailed(const char* what, const std::vector<FailedFile>& failed);

// Where indexes are kept unless told otherwise: "index" in TERMINUS_HOME.
std::string DefaultIndexFolder();

}  // namespace terminus::tools::cli
