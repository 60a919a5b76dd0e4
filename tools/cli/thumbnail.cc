#include "tools/cli/thumbnail.h"

#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/media/decode.h"
#include "common/media/resize.h"

namespace terminus::tools::cli {
namespace {

constexpr int kQuality = 82;

absl::StatusOr<std::string> EncodeJpeg(const media::Image& image) {
  const std::unique_ptr<void, decltype(&tjDestroy)> encoder(tjInitCompress(), tjDestroy);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;  // NOLINT: the library's type.
  if (encoder == nullptr ||
      tjCompress2(encoder.get(), image.rgb.data(), image.width, 0, image.height, TJPF_RGB, &buffer,
                  &size, TJSAMP_420, kQuality, 0) != 0) {
    tjFree(buffer);
    return absl::InternalError(
        absl::StrCat("cannot write a JPEG: ", tjGetErrorStr2(encoder.get())));
  }
  std::string jpeg(reinterpret_cast<const char*>(buffer), size);
  tjFree(buffer);
  return jpeg;
}

}  // namespace

absl::StatusOr<std::string> MakeThumbnail(const std::string& image, int max_side) {
  TERMINUS_ASSIGN_OR_RETURN(media::Image pixels, media::DecodeImage(image, {}));
  const int side = std::max(pixels.width, pixels.height);
  if (side > max_side) {
    const auto scaled = [&](int length) {
      return std::max(1, static_cast<int>(static_cast<int64_t>(length) * max_side / side));
    };
    pixels =
        media::Resize(pixels, scaled(pixels.width), scaled(pixels.height), media::Filter::kBicubic);
  }
  return EncodeJpeg(pixels);
}

}  // namespace terminus::tools::cli
