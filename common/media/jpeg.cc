#include <turbojpeg.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/media/codecs.h"
#include "common/media/jpeg_markers.h"

namespace terminus::media {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decompressor = std::unique_ptr<void, Destroy>;

// Rounded a * b / 255 for bytes.
uint32_t MultiplyBytes(uint32_t a, uint32_t b) {
  const uint32_t product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

// Files hold CMYK inverted, as Adobe writes it: 255 is no ink. In place, to RGB.
void InvertedCmykToRgb(std::vector<uint8_t>& cmyk) {
  const size_t pixels = cmyk.size() / 4;
  uint8_t* out = cmyk.data();
  const uint8_t* in = cmyk.data();
  for (size_t i = 0; i < pixels; ++i, in += 4, out += 3) {
    const uint32_t light = in[3];
    for (int c = 0; c < 3; ++c) {
      out[c] = static_cast<uint8_t>(light - MultiplyBytes(255 - in[c], light));
    }
  }
  cmyk.resize(pixels * 3);
}

// What the library only warns of but leaves part of the picture empty.
bool LosesPixels(absl::string_view warning) {
  return absl::StrContains(absl::AsciiStrToLower(warning), "premature end");
}

}  // namespace

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes, const ImageInfo& info) {
  if (!IsCompleteJpeg(bytes)) return absl::InvalidArgumentError("cut off before its end marker");
  const Decompressor handle(tjInitDecompress());
  if (handle == nullptr) return absl::InvalidArgumentError(tjGetErrorStr2(nullptr));
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colorspace = 0;
  if (tjDecompressHeader3(handle.get(), data, bytes.size(), &width, &height, &subsampling,
                          &colorspace) != 0 &&
      tjGetErrorCode(handle.get()) != TJERR_WARNING) {
    return absl::InvalidArgumentError(tjGetErrorStr2(handle.get()));
  }
  if (width != info.width || height != info.height) {
    return absl::InvalidArgumentError("two headers that differ in size");
  }
  const bool cmyk = colorspace == TJCS_CMYK || colorspace == TJCS_YCCK;
  Image image{.width = width, .height = height, .rgb = {}};
  image.rgb.resize(static_cast<size_t>(width) * height * (cmyk ? 4 : 3));
  // A small file with thousands of scans would take minutes: the library limits them.
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
  if (tjDecompress2(handle.get(), data, bytes.size(), image.rgb.data(), width, /*pitch=*/0, height,
                    cmyk ? TJPF_CMYK : TJPF_RGB, flags) != 0) {
    const absl::string_view message = tjGetErrorStr2(handle.get());
    if (tjGetErrorCode(handle.get()) != TJERR_WARNING || LosesPixels(message)) {
      return absl::InvalidArgumentError(message);
    }
  }
  if (cmyk) InvertedCmykToRgb(image.rgb);
  return image;
}

}  // namespace terminus::media
