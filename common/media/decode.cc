#include "common/media/decode.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/media/codecs.h"
#include "common/media/orientation.h"
#include "common/media/probe.h"

namespace terminus::media {
namespace {

absl::Status TooLarge(const ImageInfo& info, absl::string_view limit) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonImageTooLarge,
                         absl::StrCat(info.width, " x ", info.height, " pixels, limit ", limit));
}

absl::StatusOr<Image> DecodeByFormat(absl::string_view bytes, const ImageInfo& info,
                                     Conversion conversion) {
  switch (info.format) {
    case ImageFormat::kJpeg:
      return DecodeJpeg(bytes, info);
    case ImageFormat::kPng:
      return DecodePng(bytes, info, conversion);
    case ImageFormat::kWebp:
      return DecodeWebp(bytes, info, conversion);
  }
  return absl::InternalError("no such format");
}

absl::StatusOr<Image> Turned(Image image, absl::string_view bytes, ImageFormat format) {
  TERMINUS_ASSIGN_OR_RETURN(const int orientation, ReadOrientation(bytes, format));
  return Turn(std::move(image), orientation);
}

}  // namespace

absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits,
                                  Conversion conversion) {
  TERMINUS_ASSIGN_OR_RETURN(const ImageInfo info, ProbeImage(bytes));
  // Sides first: a PNG may claim 32 bits each, whose product would overflow.
  if (info.width > kMaxSide || info.height > kMaxSide) {
    return TooLarge(info, absl::StrCat(kMaxSide, " a side"));
  }
  if (info.width * info.height > limits.max_pixels) {
    return TooLarge(info, absl::StrCat(limits.max_pixels));
  }
  auto image = DecodeByFormat(bytes, info, conversion);
  if (image.ok() && conversion == Conversion::kLikeTransformers) {
    image = Turned(*std::move(image), bytes, info.format);
  }
  if (image.ok()) return image;
  return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonImageUndecodable,
                         absl::StrCat(FormatName(info.format), ": ", image.status().message()));
}

void FlattenOverWhite(std::vector<uint8_t>& rgba) {
  const size_t pixels = rgba.size() / 4;
  uint8_t* out = rgba.data();
  const uint8_t* in = rgba.data();
  for (size_t i = 0; i < pixels; ++i, in += 4, out += 3) {
    const uint32_t alpha = in[3];
    for (int c = 0; c < 3; ++c) {
      // Exactly rounded division by 255.
      const uint32_t sum = in[c] * alpha + 255 * (255 - alpha) + 128;
      out[c] = static_cast<uint8_t>((sum + (sum >> 8)) >> 8);
    }
  }
  rgba.resize(pixels * 3);
}

}  // namespace terminus::media
