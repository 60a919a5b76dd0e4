#include <spng.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "common/base/status_macros.h"
#include "common/media/codecs.h"

namespace terminus::media {
namespace {

// Text and colour profiles are inflated and kept until the end; beyond this the file is refused.
constexpr size_t kMaxAncillaryBytes = 16 << 20;

struct Free {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

absl::Status Error(int code) { return absl::InvalidArgumentError(spng_strerror(code)); }

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

absl::StatusOr<std::vector<uint8_t>> Decode(spng_ctx* context, const spng_ihdr& header, int format,
                                            size_t pixel_bytes, int flags) {
  std::vector<uint8_t> out(static_cast<size_t>(header.width) * header.height * pixel_bytes);
  if (const int error = spng_decode_image(context, out.data(), out.size(), format, flags)) {
    return Error(error);
  }
  return out;
}

absl::StatusOr<std::vector<uint8_t>> DecodeOverWhite(spng_ctx* context, const spng_ihdr& header) {
  spng_trns transparency{};
  const int no_transparency = spng_get_trns(context, &transparency);
  if (no_transparency != 0 && no_transparency != SPNG_ECHUNKAVAIL) return Error(no_transparency);
  constexpr int kAlphaBit = 4;
  const bool alpha = (header.color_type & kAlphaBit) != 0 || no_transparency == 0;
  if (!alpha) return Decode(context, header, SPNG_FMT_RGB8, 3, 0);
  TERMINUS_ASSIGN_OR_RETURN(std::vector<uint8_t> out,
                            Decode(context, header, SPNG_FMT_RGBA8, 4, SPNG_DECODE_TRNS));
  FlattenOverWhite(out);
  return out;
}

// 16-bit grey to RGB; what does not fit 8 bits is white.
absl::StatusOr<std::vector<uint8_t>> DecodeClippedGrey(spng_ctx* context, const spng_ihdr& header) {
  // The samples, in this machine's byte order.
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<uint8_t> wide,
                            Decode(context, header, SPNG_FMT_PNG, sizeof(uint16_t), 0));
  std::vector<uint8_t> out(wide.size() / sizeof(uint16_t) * 3);
  for (size_t i = 0; i < wide.size() / sizeof(uint16_t); ++i) {
    uint16_t grey = 0;
    std::memcpy(&grey, &wide[i * sizeof(grey)], sizeof(grey));
    std::fill_n(&out[i * 3], 3, static_cast<uint8_t>(std::min<int>(grey, 255)));
  }
  return out;
}

}  // namespace

absl::StatusOr<Image> DecodePng(absl::string_view bytes, const ImageInfo& info,
                                Conversion conversion) {
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
  Image image{.width = static_cast<int>(header.width),
              .height = static_cast<int>(header.height),
              .rgb = {}};
  if (conversion == Conversion::kOverWhite) {
    TERMINUS_ASSIGN_OR_RETURN(image.rgb, DecodeOverWhite(context.get(), header));
  } else if (header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth == 16) {
    TERMINUS_ASSIGN_OR_RETURN(image.rgb, DecodeClippedGrey(context.get(), header));
  } else {
    TERMINUS_ASSIGN_OR_RETURN(image.rgb, Decode(context.get(), header, SPNG_FMT_RGB8, 3, 0));
  }
  return image;
}

}  // namespace terminus::media
