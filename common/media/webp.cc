#include <webp/decode.h>

#include "common/media/codecs.h"

namespace terminus::media {
namespace {

constexpr size_t kRiffHeaderBytes = 8;

// The length that the container claims, its own header included.
size_t RiffBytes(absl::string_view bytes) {
  size_t size = 0;
  for (size_t i = 8; i-- > 4;) size = size << 8 | static_cast<uint8_t>(bytes[i]);
  return size + kRiffHeaderBytes;
}

}  // namespace

absl::StatusOr<Image> DecodeWebp(absl::string_view bytes, const ImageInfo& info,
                                 Conversion conversion) {
  if (RiffBytes(bytes) > bytes.size()) {
    return absl::InvalidArgumentError("cut off before the end that its header says");
  }
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) {
    return absl::InvalidArgumentError("broken bitstream header");
  }
  if (features.has_animation) {
    return absl::UnimplementedError("animated pictures are not supported, still ones are");
  }
  if (features.width != info.width || features.height != info.height) {
    return absl::InvalidArgumentError("two headers that differ in size");
  }
  const bool alpha = features.has_alpha && conversion == Conversion::kOverWhite;
  Image image{.width = features.width, .height = features.height, .rgb = {}};
  const int stride = features.width * (alpha ? 4 : 3);
  image.rgb.resize(static_cast<size_t>(stride) * features.height);
  const auto decode = alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (decode(data, bytes.size(), image.rgb.data(), image.rgb.size(), stride) == nullptr) {
    return absl::InvalidArgumentError("broken or cut-off bitstream");
  }
  if (alpha) FlattenOverWhite(image.rgb);
  return image;
}

}  // namespace terminus::media
