#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// A JPEG of the image with no side longer than `max_side` pixels, transparency over white. Smaller
// images keep their size. Errors are those of media::DecodeImage.
absl::StatusOr<std::string> MakeThumbnail(const std::string& image, int max_side);

}  // namespace terminus::tools::cli
