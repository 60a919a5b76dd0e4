#pragma once

#include "absl/strings/string_view.h"
#include "common/media/image.h"
#include "common/media/probe.h"

namespace terminus::media {

// How a picture is to be turned, as the Exif tag Orientation counts: 1 (not at all) to 8. Read from
// a JPEG's APP1 segment, a PNG's eXIf chunk, a WebP's EXIF chunk; 1 where there is none or none
// that makes sense. What only an XMP packet says is not read. Exif 2.32, 4.6.4.
int ReadOrientation(absl::string_view file, ImageFormat format);

// The picture as it is to be seen. `orientation` is 1 to 8.
Image Turn(Image image, int orientation);

}  // namespace terminus::media
