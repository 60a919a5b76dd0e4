// The bytes of a picture.
#include <cstdint>

#include "common/media/decode.h"
#include "common/media/probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace terminus::media;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto info = ProbeImage(bytes);
  const auto image = DecodeImage(bytes, {.max_pixels = 1 << 18});
  if (!image.ok()) return 0;
  // What was decoded is what the header promised, which is what the limits were checked against.
  if (!info.ok() || image->width != info->width || image->height != info->height ||
      image->rgb.size() != 3u * image->width * image->height) {
    __builtin_trap();
  }
  return 0;
}
