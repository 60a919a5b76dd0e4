#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <vector>

// jpeglib.h needs the two above.
#include <jpeglib.h>

#include "common/base/status_macros.h"
#include "common/media/codecs.h"
#include "common/media/jpeg_head.h"

namespace terminus::media {
namespace {

// A small file with thousands of scans would take minutes.
constexpr int kMaxScans = 500;

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

// libjpeg's decompressor over a file in memory. Where the file ends, the library waits for more, as
// it does in Pillow, instead of making up an end. Its warnings are ignored.
class Decompressor {
 public:
  Decompressor() {
    info_.err = jpeg_std_error(&error_.base);
    error_.base.error_exit = [](j_common_ptr info) {
      auto* error = reinterpret_cast<Error*>(info->err);
      info->err->format_message(info, error->message);
      std::longjmp(error->back, 1);
    };
    error_.base.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = [](j_common_ptr info) {
      const auto* decompressor = reinterpret_cast<j_decompress_ptr>(info);
      if (decompressor->input_scan_number <= kMaxScans) return;
      auto* error = reinterpret_cast<Error*>(info->err);
      std::snprintf(error->message, sizeof(error->message), "more than %d scans", kMaxScans);
      std::longjmp(error->back, 1);
    };
    source_.init_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
    source_.skip_input_data = [](j_decompress_ptr info, long bytes) {
      const size_t left = info->src->bytes_in_buffer;
      const size_t skipped = bytes < 0 ? 0 : std::min(static_cast<size_t>(bytes), left);
      info->src->next_input_byte += skipped;
      info->src->bytes_in_buffer -= skipped;
    };
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = [](j_decompress_ptr) {};
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  // Reads up to the first scan. False with a message().
  bool ReadHeader(absl::string_view bytes) {
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
    source_.bytes_in_buffer = bytes.size();
    if (setjmp(error_.back) != 0)
      return false;  // NOLINT(cert-err52-cpp): libjpeg has no other way.
    jpeg_create_decompress(&info_);
    info_.src = &source_;
    info_.progress = &progress_;
    return jpeg_read_header(&info_, TRUE) == JPEG_HEADER_OK || CutOff();
  }

  // All rows, of channels() bytes a pixel, into `out`. False with a message().
  bool ReadRows(uint8_t* out) {
    if (setjmp(error_.back) != 0)
      return false;  // NOLINT(cert-err52-cpp): libjpeg has no other way.
    info_.out_color_space = channels() == 1 ? JCS_GRAYSCALE : channels() == 4 ? JCS_CMYK : JCS_RGB;
    if (jpeg_start_decompress(&info_) == FALSE) return CutOff();
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = out + static_cast<size_t>(info_.output_scanline) * info_.output_width *
                               static_cast<size_t>(channels());
      if (jpeg_read_scanlines(&info_, &row, 1) != 1) return CutOff();
    }
    // What follows the last row may be cut off. An error in it is one of the file.
    jpeg_finish_decompress(&info_);
    return true;
  }

  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }
  int channels() const { return info_.num_components; }
  const char* message() const { return error_.message; }

 private:
  struct Error {
    jpeg_error_mgr base;  // First, so that the library's pointer is one to the whole.
    std::jmp_buf back;
    char message[JMSG_LENGTH_MAX];
  };

  bool CutOff() {
    std::snprintf(error_.message, sizeof(error_.message), "cut off inside its image data");
    return false;
  }

  jpeg_decompress_struct info_{};
  Error error_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes, const ImageInfo& info) {
  TERMINUS_RETURN_IF_ERROR(ReadJpegHead(bytes).status());
  Decompressor decompressor;
  if (!decompressor.ReadHeader(bytes)) {
    return absl::InvalidArgumentError(decompressor.message());
  }
  if (decompressor.width() != info.width || decompressor.height() != info.height) {
    return absl::InvalidArgumentError("two headers that differ in size");
  }
  const int channels = decompressor.channels();
  if (channels != 1 && channels != 3 && channels != 4) {
    return absl::InvalidArgumentError("two headers that differ in channels");
  }
  Image image{.width = decompressor.width(), .height = decompressor.height(), .rgb = {}};
  const size_t pixels = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  image.rgb.resize(pixels * static_cast<size_t>(std::max(channels, 3)));
  // Grey is read to the end of the buffer and spread from its beginning.
  uint8_t* const rows = image.rgb.data() + (channels == 1 ? pixels * 2 : 0);
  if (!decompressor.ReadRows(rows)) {
    return absl::InvalidArgumentError(decompressor.message());
  }
  if (channels == 4) InvertedCmykToRgb(image.rgb);
  for (size_t i = 0; channels == 1 && i < pixels; ++i) {
    const uint8_t grey = rows[i];
    std::fill_n(&image.rgb[i * 3], 3, grey);
  }
  return image;
}

}  // namespace terminus::media
