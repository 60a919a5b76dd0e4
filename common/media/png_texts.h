#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/media/png_chunks.h"

namespace terminus::media {

// INVALID_ARGUMENT with the name of a PNG file's chunk and what is wrong with it.
absl::Status BadPngChunk(absl::string_view chunk, absl::string_view what);

// Reads the chunks of texts and profiles into a PngFile, which must outlive it: Exif and XMP are
// kept, the others are checked as Pillow checks them. Each method takes the data of one chunk.
class PngTexts {
 public:
  explicit PngTexts(PngFile* out) : out_(out) {}

  absl::Status Profile(absl::string_view data);            // iCCP
  absl::Status Text(absl::string_view data);               // tEXt
  absl::Status CompressedText(absl::string_view data);     // zTXt
  absl::Status InternationalText(absl::string_view data);  // iTXt

 private:
  absl::Status KeepText(absl::string_view key, absl::string_view text);

  PngFile* const out_;
  size_t text_bytes_ = 0;  // of all texts
};

}  // namespace terminus::media
