#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>

#include "common/media/codecs.h"
#include "common/media/orientation.h"

namespace terminus::media {
namespace {

struct Delete {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

WebPData DataOf(absl::string_view bytes) {
  return {.bytes = reinterpret_cast<const uint8_t*>(bytes.data()), .size = bytes.size()};
}

// The first chunk of that name.
absl::optional<absl::string_view> FindChunk(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator found;
  absl::optional<absl::string_view> data;
  if (WebPDemuxGetChunk(demuxer, name, 1, &found) != 0) {
    data.emplace(reinterpret_cast<const char*>(found.chunk.bytes), found.chunk.size);
    WebPDemuxReleaseChunkIterator(&found);
  }
  return data;
}

}  // namespace

// All pictures go through the decoder of animations, as in Pillow: the canvas is transparent black
// where the first frame does not cover it.
absl::StatusOr<Image> DecodeWebp(absl::string_view bytes, const ImageInfo& info,
                                 Conversion conversion) {
  const WebPData data = DataOf(bytes);
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) {
    return absl::InvalidArgumentError("broken bitstream header");
  }
  const std::unique_ptr<WebPAnimDecoder, Delete> decoder(WebPAnimDecoderNew(&data, nullptr));
  WebPAnimInfo canvas;
  if (decoder == nullptr || WebPAnimDecoderGetInfo(decoder.get(), &canvas) == 0) {
    return absl::InvalidArgumentError("broken container, or cut off");
  }
  if (canvas.canvas_width != info.width || canvas.canvas_height != info.height) {
    return absl::InvalidArgumentError("two headers that differ in size");
  }
  uint8_t* rgba = nullptr;  // The decoder's.
  int timestamp = 0;
  if (WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp) == 0) {
    return absl::InvalidArgumentError("broken or cut-off bitstream");
  }
  Image image{
      .width = static_cast<int>(info.width), .height = static_cast<int>(info.height), .rgb = {}};
  const size_t pixels = static_cast<size_t>(info.width) * static_cast<size_t>(info.height);
  if (features.has_alpha != 0 && conversion == Conversion::kOverWhite) {
    image.rgb.assign(rgba, rgba + pixels * 4);
    FlattenOverWhite(image.rgb);
    return image;
  }
  image.rgb.resize(pixels * 3);
  for (size_t i = 0; i < pixels; ++i) {
    std::memcpy(&image.rgb[i * 3], rgba + i * 4, 3);
  }
  return image;
}

absl::StatusOr<int> ReadWebpOrientation(absl::string_view bytes) {
  const WebPData data = DataOf(bytes);
  const std::unique_ptr<WebPDemuxer, Delete> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) {
    return absl::InvalidArgumentError("broken container, or cut off");
  }
  return OrientationOf(FindChunk(demuxer.get(), "EXIF"), FindChunk(demuxer.get(), "XMP "));
}

}  // namespace terminus::media
