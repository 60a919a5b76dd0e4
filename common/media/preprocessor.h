#pragma once

#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/image.h"
#include "common/media/resize.h"

namespace terminus::media {

// What a vision model does with a picture before its first layer, as a Hugging Face
// preprocessor_config.json says it. Resizing and cropping happen here, on bytes; the model applies
// (pixel * rescale_factor - mean) / std on its device. Immutable: any thread may use it.
class ImagePreprocessor {
 public:
  // Reads
  //   size            {"shortest_edge": n} or {"height": h, "width": w}, or n: the shortest edge
  //                   where do_center_crop is true, else a square
  //   resample        1 Lanczos, 2 bilinear (when left out), 3 bicubic
  //   do_center_crop, crop_size   n or {"height": h, "width": w}
  //   do_rescale, rescale_factor, do_normalize, image_mean, image_std
  // Other keys are ignored. INVALID_ARGUMENT, naming the key and what is supported, for what would
  // not give pictures of one fixed size.
  static absl::StatusOr<ImagePreprocessor> FromJson(absl::string_view json);

  // The picture resized and cropped to width() x height(), as transformers do it with Pillow. It
  // has pixels, and no side beyond kMaxSide.
  Image Run(const Image& image) const;

  int width() const { return config_.crop_width; }
  int height() const { return config_.crop_height; }
  float rescale_factor() const { return config_.rescale_factor; }
  const std::array<float, 3>& mean() const { return config_.mean; }
  const std::array<float, 3>& std() const { return config_.std; }

 private:
  struct Config {
    Filter filter = Filter::kBilinear;
    int shortest_edge = 0;  // 0: resize to resize_width x resize_height
    int resize_width = 0;
    int resize_height = 0;
    int crop_width = 0;
    int crop_height = 0;
    float rescale_factor = 1.0f / 255.0f;
    std::array<float, 3> mean = {0, 0, 0};
    std::array<float, 3> std = {1, 1, 1};
  };
  struct Reader;

  explicit ImagePreprocessor(const Config& config) : config_(config) {}

  Config config_;
};

}  // namespace terminus::media
