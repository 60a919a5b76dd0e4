#include <spng.h>

#include <memory>

#include "common/media/codecs.h"

namespace terminus::media {
namespace {

// Text and colour profiles are inflated and kept until the end; beyond this the file is refused.
constexpr size_t kMaxAncillaryBytes = 16 << 20;

struct Free {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

absl::StatusOr<Image> Error(int code) { return absl::InvalidArgumentError(spng_strerror(code)); }

// Whether the chunks go on to the end of IEND. The library does not look at IEND's last bytes.
bool IsComplete(absl::string_view bytes) {
  constexpr size_t kMagicBytes = 8;
  constexpr size_t kFramingBytes = 12;  // length, name, checksum
  bytes.remove_prefix(kMagicBytes);
  while (bytes.size() >= kFramingBytes) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
    if (length > bytes.size() - kFramingBytes) return false;
    if (bytes.substr(4, 4) == "IEND") return true;
    bytes.remove_prefix(length + kFramingBytes);
  }
  return false;
}

}  // namespace

absl::StatusOr<Image> DecodePng(absl::string_view bytes, const ImageInfo& info) {
  if (!IsComplete(bytes)) return absl::InvalidArgumentError("cut off before its last chunk's end");
  const std::unique_ptr<spng_ctx, Free> context(spng_ctx_new(0));
  if (context == nullptr) return absl::InvalidArgumentError("out of memory");
  spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  spng_set_chunk_limits(context.get(), kMaxAncillaryBytes, kMaxAncillaryBytes);
  if (const int error = spng_set_png_buffer(context.get(), bytes.data(), bytes.size())) {
    return Error(error);
  }
  spng_ihdr header{};
  if (const int error = spng_get_ihdr(context.get(), &header)) return Error(error);
  if (header.width != info.width || header.height != info.height) {
    return absl::InvalidArgumentError("two headers that differ in size");
  }
  spng_trns transparency{};
  const int no_transparency = spng_get_trns(context.get(), &transparency);
  if (no_transparency != 0 && no_transparency != SPNG_ECHUNKAVAIL) return Error(no_transparency);
  constexpr int kAlphaBit = 4;
  const bool alpha = (header.color_type & kAlphaBit) != 0 || no_transparency == 0;
  const int format = alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
  Image image{.width = static_cast<int>(header.width),
              .height = static_cast<int>(header.height),
              .rgb = {}};
  image.rgb.resize(static_cast<size_t>(header.width) * header.height * (alpha ? 4 : 3));
  if (const int error = spng_decode_image(context.get(), image.rgb.data(), image.rgb.size(), format,
                                          alpha ? SPNG_DECODE_TRNS : 0)) {
    return Error(error);
  }
  if (alpha) FlattenOverWhite(image.rgb);
  return image;
}

}  // namespace terminus::media
