#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/media/image.h"
#include "common/media/video/libav.h"

namespace terminus::media::video {

// How a frame is turned and mirrored before it is shown, by quarter turns. Another angle of a
// display matrix is taken as none.
class Orientation {
 public:
  Orientation() = default;

  // A display matrix as ISO/IEC 14496-12 has it: the stored point (x, y) is shown at
  // (m[0] x + m[3] y, m[1] x + m[4] y), moved so that the picture begins at 0.
  static Orientation FromMatrix(const std::array<int32_t, 9>& m);
  static Orientation Of(const AVStream& stream);

  // Whether width and height change places.
  bool transposed() const { return transposed_; }

  // The picture as it is shown. `stride` is the bytes from one row of `rgb` to the next.
  Image Apply(const uint8_t* rgb, size_t stride, int width, int height) const;

 private:
  bool transposed_ = false;
  // Of the stored picture's axes.
  bool mirror_x_ = false;
  bool mirror_y_ = false;
};

// Decoded frames to RGB, at full size, with the stream's own colour matrix (BT.601 when it names
// none, as FFmpeg has it); transparency over white, as for images. Not thread-safe.
class Converter {
 public:
  explicit Converter(const Orientation& orientation) : orientation_(orientation) {}

  absl::StatusOr<Image> Convert(const AVFrame& frame);

 private:
  const Orientation orientation_;
  ScalerPtr scaler_;
  // Rows with room behind them: the scaler writes past the end of a row.
  std::vector<uint8_t> buffer_;
};

}  // namespace terminus::media::video
