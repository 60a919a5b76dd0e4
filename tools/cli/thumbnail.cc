#include "tools/cli/thumbnail.h"

#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/media/decode.h"
#include "common/media/resize.h"
#include "common/media/video/clip.h"
#include "common/media/video_format.h"

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

absl::StatusOr<media::Image> MiddleFrame(const std::string& video) {
  TERMINUS_ASSIGN_OR_RETURN(const media::video::Clip clip, media::video::Clip::Open(video, {}));
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<int64_t> middle, clip.UniformTimes({}, 1));
  media::Image image;
  const auto times = clip.Decode(
      middle, {}, [&](absl::Span<const size_t>, const media::Image& frame) { image = frame; });
  TERMINUS_RETURN_IF_ERROR(times.status());
  return image;
}

}  // namespace

absl::StatusOr<std::string> MakeThumbnail(const std::string& file, int max_side) {
  auto decoded =
      media::SniffVideo(file).has_value() ? MiddleFrame(file) : media::DecodeImage(file, {});
  TERMINUS_RETURN_IF_ERROR(decoded.status());
  media::Image pixels = *std::move(decoded);
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
