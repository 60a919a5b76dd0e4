#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/media/codecs.h"
#include "common/media/png_chunks.h"
#include "common/media/png_rows.h"

namespace terminus::media {
namespace {

constexpr size_t kMaxPaletteBytes = 256 * 3;

// Seven passes of an interlaced picture: where each begins and how far its pixels are apart.
struct Pass {
  uint32_t x, y, step_x, step_y;
};
constexpr Pass kPasses[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                            {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
constexpr Pass kWhole[] = {{0, 0, 1, 1}};

uint32_t CountOf(uint32_t size, uint32_t from, uint32_t step) {
  return size <= from ? 0 : (size - from + step - 1) / step;
}

// Rows of samples to RGB, or to RGBA where transparency is kept.
class Expander {
 public:
  Expander(const PngFile& file, Conversion conversion) : file_(file) {
    clips_ = conversion == Conversion::kLikeTransformers;
    const bool has_alpha = file.color_type == kPngGreyAlpha || file.color_type == kPngRgba;
    alpha_ = conversion == Conversion::kOverWhite && (has_alpha || file.transparency);
    MakePalette();
    MakeKey();
  }

  size_t channels() const { return alpha_ ? 4 : 3; }

  void Expand(const uint8_t* row, size_t pixels, uint8_t* out) const {
    switch (file_.color_type) {
      case kPngGrey:
        return file_.depth == 16 ? ExpandWideGrey(row, pixels, out) : ExpandGrey(row, pixels, out);
      case kPngPalette:
        return ExpandPalette(row, pixels, out);
      default:
        return ExpandColors(row, pixels, out);
    }
  }

 private:
  // Black where the file has too few entries.
  void MakePalette() {
    for (size_t i = 0; i < 256; ++i) palette_[i * 4 + 3] = 255;
    for (size_t i = 0; i + 2 < file_.palette.size(); i += 3) {
      std::memcpy(&palette_[i / 3 * 4], &file_.palette[i], 3);
    }
    if (file_.color_type != kPngPalette || !file_.transparency) return;
    const size_t count = std::min<size_t>(256, file_.transparency->size());
    for (size_t i = 0; i < count; ++i) {
      palette_[i * 4 + 3] = static_cast<uint8_t>((*file_.transparency)[i]);
    }
  }

  // The one transparent colour of grey and RGB, cut to the samples' bits.
  void MakeKey() {
    has_key_ = file_.transparency && file_.color_type <= kPngRgb;
    if (!has_key_) return;
    const uint32_t mask = (1u << file_.depth) - 1;
    for (size_t i = 0; i < (file_.color_type == kPngRgb ? 3 : 1); ++i) {
      const auto high = static_cast<uint8_t>((*file_.transparency)[i * 2]);
      const auto low = static_cast<uint8_t>((*file_.transparency)[i * 2 + 1]);
      key_[i] = (static_cast<uint32_t>(high) << 8 | low) & mask;
    }
  }

  uint8_t AlphaOf(bool is_key) const { return has_key_ && is_key ? 0 : 255; }

  uint32_t SmallSample(const uint8_t* row, size_t i) const {
    const size_t depth = static_cast<size_t>(file_.depth);
    const size_t shift = 8 - depth - i * depth % 8;
    return row[i * depth / 8] >> shift & ((1u << depth) - 1);
  }

  void ExpandGrey(const uint8_t* row, size_t pixels, uint8_t* out) const {
    const uint32_t scale = 255 / ((1u << file_.depth) - 1);
    for (size_t i = 0; i < pixels; ++i, out += channels()) {
      const uint32_t sample = SmallSample(row, i);
      std::memset(out, static_cast<int>(sample * scale), 3);
      if (alpha_) out[3] = AlphaOf(sample == key_[0]);
    }
  }

  void ExpandWideGrey(const uint8_t* row, size_t pixels, uint8_t* out) const {
    for (size_t i = 0; i < pixels; ++i, out += channels()) {
      const uint32_t sample = static_cast<uint32_t>(row[i * 2]) << 8 | row[i * 2 + 1];
      std::memset(out, static_cast<int>(clips_ ? std::min(sample, 255u) : sample >> 8), 3);
      if (alpha_) out[3] = AlphaOf(sample == key_[0]);
    }
  }

  void ExpandPalette(const uint8_t* row, size_t pixels, uint8_t* out) const {
    for (size_t i = 0; i < pixels; ++i, out += channels()) {
      std::memcpy(out, &palette_[SmallSample(row, i) * 4], channels());
    }
  }

  // Of 16 bits the upper 8.
  void ExpandColors(const uint8_t* row, size_t pixels, uint8_t* out) const {
    const size_t bytes = static_cast<size_t>(file_.depth) / 8;
    const bool grey = file_.color_type == kPngGreyAlpha;
    const bool has_alpha = grey || file_.color_type == kPngRgba;
    const size_t colors = grey ? 1 : 3;
    const size_t step = (colors + (has_alpha ? 1 : 0)) * bytes;
    if (step == 3 && !alpha_) {
      std::memcpy(out, row, pixels * 3);
      return;
    }
    for (size_t i = 0; i < pixels; ++i, row += step, out += channels()) {
      for (size_t c = 0; c < 3; ++c) out[c] = row[grey ? 0 : c * bytes];
      if (alpha_) out[3] = has_alpha ? row[colors * bytes] : AlphaOf(IsKey(row, bytes));
    }
  }

  bool IsKey(const uint8_t* row, size_t bytes) const {
    for (size_t c = 0; c < 3; ++c) {
      const uint8_t* sample = row + c * bytes;
      const uint32_t value =
          bytes == 1 ? sample[0] : static_cast<uint32_t>(sample[0]) << 8 | sample[1];
      if (value != key_[c]) return false;
    }
    return true;
  }

  const PngFile& file_;
  bool clips_ = false;
  bool alpha_ = false;
  bool has_key_ = false;
  std::array<uint32_t, 3> key_{};
  std::array<uint8_t, 1024> palette_{};
};

size_t BitsPerPixel(const PngFile& file) {
  constexpr size_t kChannels[] = {1, 0, 3, 1, 2, 0, 4};
  return kChannels[file.color_type] * static_cast<size_t>(file.depth);
}

// Puts a pass's row into the picture.
void Scatter(const uint8_t* pixels, uint32_t count, const Pass& pass, size_t channels,
             uint8_t* row) {
  if (pass.step_x == 1) {
    std::memcpy(row, pixels, count * channels);
    return;
  }
  for (uint32_t i = 0; i < count; ++i) {
    std::memcpy(row + (pass.x + static_cast<size_t>(i) * pass.step_x) * channels,
                pixels + i * channels, channels);
  }
}

// All rows of all passes. Where the compressed data end between two of them, the rest of the
// picture stays as it is.
absl::Status ReadRows(const PngFile& file, const Expander& expander, std::vector<uint8_t>& out) {
  const size_t bits = BitsPerPixel(file);
  const size_t channels = expander.channels();
  PngRows rows(file.data, std::max<size_t>(1, bits / 8));
  std::vector<uint8_t> pixels(file.width * channels);
  const size_t passes = file.interlaced ? std::size(kPasses) : 1;
  for (size_t p = 0; p < passes; ++p) {
    const Pass& pass = file.interlaced ? kPasses[p] : kWhole[0];
    const uint32_t columns = CountOf(file.width, pass.x, pass.step_x);
    if (columns == 0) continue;
    rows.BeginPass((columns * bits + 7) / 8);
    for (uint32_t y = pass.y; y < file.height; y += pass.step_y) {
      if (rows.ended()) break;
      TERMINUS_ASSIGN_OR_RETURN(const uint8_t* row, rows.Next());
      expander.Expand(row, columns, pixels.data());
      Scatter(pixels.data(), columns, pass, channels, &out[y * file.width * channels]);
    }
  }
  if (file.data_is_cut_off && rows.piece() + 1 < file.data.size()) {
    return absl::InvalidArgumentError("cut off inside its image data");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Image> DecodePng(absl::string_view bytes, const ImageInfo& info,
                                Conversion conversion) {
  TERMINUS_ASSIGN_OR_RETURN(const PngFile file, ReadPngChunks(bytes));
  if (file.width != info.width || file.height != info.height) {
    return absl::InvalidArgumentError("two headers that differ in size");
  }
  if (file.palette.size() >= kMaxPaletteBytes + 3) {
    return absl::InvalidArgumentError("chunk PLTE: more than 256 entries");
  }
  const Expander expander(file, conversion);
  Image image{
      .width = static_cast<int>(file.width), .height = static_cast<int>(file.height), .rgb = {}};
  // Rows that the file does not have are of zeros.
  const std::vector<uint8_t> zeros((file.width * BitsPerPixel(file) + 7) / 8);
  const size_t row = file.width * expander.channels();
  image.rgb.resize(row * file.height);
  expander.Expand(zeros.data(), file.width, image.rgb.data());
  for (size_t y = 1; y < file.height; ++y) {
    std::memcpy(&image.rgb[y * row], image.rgb.data(), row);
  }
  TERMINUS_RETURN_IF_ERROR(ReadRows(file, expander, image.rgb));
  if (expander.channels() == 4) FlattenOverWhite(image.rgb);
  return image;
}

}  // namespace terminus::media
