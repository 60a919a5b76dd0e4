#pragma once

#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/decode.h"
#include "common/media/image.h"
#include "common/media/preprocessor_config.h"

namespace terminus::media {

// What a vision model does with a picture before its first layer, to the pixel as transformers does
// it with Pillow. Resizing and cropping happen here, on bytes; the model applies
// (pixel * rescale_factor - mean) / std on its device. Immutable: any thread may use it.
class ImagePreprocessor {
 public:
  explicit ImagePreprocessor(const PreprocessorConfig& config,
                             Conversion conversion = Conversion::kLikeTransformers)
      : config_(config), conversion_(conversion) {}

  // As ReadPreprocessorConfig reads it. `conversion` is how files are to be decoded for it.
  static absl::StatusOr<ImagePreprocessor> FromJson(
      absl::string_view json, Conversion conversion = Conversion::kLikeTransformers);

  // The picture resized, cropped and padded to width() x height(). It has pixels, and no side
  // beyond kMaxSide.
  Image Run(const Image& image) const;

  Conversion conversion() const { return conversion_; }
  int width() const { return config_.width; }
  int height() const { return config_.height; }
  float rescale_factor() const { return config_.rescale_factor; }
  const std::array<float, 3>& mean() const { return config_.mean; }
  const std::array<float, 3>& std() const { return config_.std; }

 private:
  PreprocessorConfig config_;
  Conversion conversion_;
};

}  // namespace terminus::media
