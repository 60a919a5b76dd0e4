#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// A JPEG of the image, or of the frame in the middle of a video, with no side longer than
// `max_side` pixels, transparency over white. Smaller pictures keep their size. Errors are those of
// media::DecodeImage and media::video::Clip.
absl::StatusOr<std::string> MakeThumbnail(const std::string& file, int max_side);

}  // namespace terminus::tools::cli
