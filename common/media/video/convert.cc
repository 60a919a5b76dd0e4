#include "common/media/video/convert.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/media/codecs.h"

namespace terminus::media::video {
namespace {

constexpr size_t kRowAlignment = 64;

// FFmpeg still uses pixel formats of their own for full-range frames; the scaler wants the plain
// ones.
AVPixelFormat PlainFormat(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
      return AV_PIX_FMT_YUV440P;
    default:
      return format;
  }
}

}  // namespace

Orientation Orientation::FromMatrix(const std::array<int32_t, 9>& m) {
  Orientation orientation;
  if (m[0] == 0 && m[4] == 0 && m[1] != 0 && m[3] != 0) {
    orientation.transposed_ = true;
    orientation.mirror_x_ = m[1] < 0;
    orientation.mirror_y_ = m[3] < 0;
  } else if (m[1] == 0 && m[3] == 0) {
    orientation.mirror_x_ = m[0] < 0;
    orientation.mirror_y_ = m[4] < 0;
  }
  return orientation;
}

Orientation Orientation::Of(const AVStream& stream) {
  std::array<int32_t, 9> matrix;
  size_t size = 0;
  const uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (data == nullptr || size < sizeof(matrix)) return {};
  std::memcpy(matrix.data(), data, sizeof(matrix));
  return FromMatrix(matrix);
}

Image Orientation::Apply(const uint8_t* rgb, size_t stride, int width, int height) const {
  Image image{.width = transposed_ ? height : width, .height = transposed_ ? width : height};
  image.rgb.resize(static_cast<size_t>(width) * height * 3);
  uint8_t* out = image.rgb.data();
  const size_t row = static_cast<size_t>(width) * 3;
  if (!transposed_ && !mirror_x_) {
    for (int y = 0; y < height; ++y, out += row) {
      std::memcpy(out, rgb + (mirror_y_ ? height - 1 - y : y) * stride, row);
    }
    return image;
  }
  for (int v = 0; v < image.height; ++v) {
    for (int u = 0; u < image.width; ++u, out += 3) {
      const int x = transposed_ ? v : u;
      const int y = transposed_ ? u : v;
      const uint8_t* in = rgb + (mirror_y_ ? height - 1 - y : y) * stride +
                          static_cast<size_t>(mirror_x_ ? width - 1 - x : x) * 3;
      std::memcpy(out, in, 3);
    }
  }
  return image;
}

absl::StatusOr<Image> Converter::Convert(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  const bool alpha = description != nullptr && (description->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  const AVPixelFormat wanted = alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
  // Bicubic as in FFmpeg's own tool; it is what says how chroma is widened.
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height,
                                     PlainFormat(format), frame.width, frame.height, wanted,
                                     SWS_BICUBIC, nullptr, nullptr, nullptr));
  if (scaler_ == nullptr) {
    return VideoError(
        base::kReasonVideoUndecodable,
        absl::StrCat("frames of ", frame.width, " x ", frame.height, " pixels in the format ",
                     description != nullptr ? description->name : "unknown",
                     " cannot be converted"));
  }
  const bool full = frame.color_range == AVCOL_RANGE_JPEG || PlainFormat(format) != format;
  const int matrix = frame.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT
                                                               : static_cast<int>(frame.colorspace);
  sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(matrix), full ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);

  const size_t pixel = alpha ? 4 : 3;
  const size_t row = static_cast<size_t>(frame.width) * pixel;
  const size_t stride = (row + 2 * kRowAlignment - 1) / kRowAlignment * kRowAlignment;
  buffer_.resize(stride * frame.height + kRowAlignment);
  uint8_t* const planes[4] = {buffer_.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides);
  if (!alpha) return orientation_.Apply(buffer_.data(), stride, frame.width, frame.height);
  std::vector<uint8_t> flat;
  flat.reserve(row * frame.height);
  for (int y = 0; y < frame.height; ++y) {
    const uint8_t* in = buffer_.data() + y * stride;
    flat.insert(flat.end(), in, in + row);
  }
  FlattenOverWhite(flat);
  return orientation_.Apply(flat.data(), static_cast<size_t>(frame.width) * 3, frame.width,
                            frame.height);
}

}  // namespace terminus::media::video
