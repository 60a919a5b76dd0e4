// The bytes of a picture.
#include <cstdint>

#include "common/media/decode.h"
#include "common/media/probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace terminus::media;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto info = ProbeImage(bytes);
  for (const Conversion conversion : {Conversion::kOverWhite, Conversion::kLikeTransformers}) {
    const auto image = DecodeImage(bytes, {.max_pixels = 1 << 18}, conversion);
    if (!image.ok()) continue;
    // What was decoded is what the header promised, which is what the limits were checked against;
    // only turned pictures have their sides the other way round.
    const bool as_promised =
        info.ok() && image->width == info->width && image->height == info->height;
    const bool turned = info.ok() && conversion == Conversion::kLikeTransformers &&
                        image->width == info->height && image->height == info->width;
    if ((!as_promised && !turned) || image->rgb.size() != 3u * image->width * image->height) {
      __builtin_trap();
    }
  }
  return 0;
}
