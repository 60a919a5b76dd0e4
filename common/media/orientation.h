#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/media/image.h"
#include "common/media/probe.h"

namespace terminus::media {

// How a picture is to be turned, as the Exif tag Orientation counts: 1 (not at all) to 8. Read from
// a file's Exif data or, where those do not have the tag, from its XMP packet, as Pillow does it; 1
// where there is none or none that makes sense. Exif 2.32, 4.6.4.
//
// INVALID_ARGUMENT for Exif data that are no TIFF structure, and where the file's other parts are
// broken, at which Pillow fails too.
absl::StatusOr<int> ReadOrientation(absl::string_view file, ImageFormat format);

// The same of the two alone, where the file has them. "Exif\0\0" may stand before the structure.
absl::StatusOr<int> OrientationOf(absl::optional<absl::string_view> exif,
                                  absl::optional<absl::string_view> xmp);

// The picture as it is to be seen. `orientation` is 1 to 8.
Image Turn(Image image, int orientation);

}  // namespace terminus::media
