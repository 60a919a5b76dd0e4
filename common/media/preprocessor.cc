#include "common/media/preprocessor.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/base/status_macros.h"

namespace terminus::media {
namespace {

// The size of a picture whose shortest edge becomes `edge`. The other one is cut, not rounded, as
// transformers and torchvision do.
void ScaleToEdge(const Image& image, int edge, int* width, int* height) {
  const auto longest = [edge](int64_t longer, int shorter) {
    return static_cast<int>(static_cast<double>(edge * longer) / shorter);
  };
  *width = *height = edge;
  if (image.width > image.height) *width = longest(image.width, image.height);
  if (image.height > image.width) *height = longest(image.height, image.width);
}

// In the middle of black; where the margin is odd, the larger half is to the left and above.
Image Pad(const Image& image, int width, int height) {
  Image out{.width = width, .height = height, .rgb = {}};
  out.rgb.resize(static_cast<size_t>(width) * height * 3);
  const size_t left = (width - image.width + 1) / 2;
  const size_t top = (height - image.height + 1) / 2;
  const size_t row = static_cast<size_t>(image.width) * 3;
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    std::memcpy(&out.rgb[((top + y) * width + left) * 3], &image.rgb[y * row], row);
  }
  return out;
}

}  // namespace

absl::StatusOr<ImagePreprocessor> ImagePreprocessor::FromJson(absl::string_view json,
                                                              Conversion conversion) {
  TERMINUS_ASSIGN_OR_RETURN(const PreprocessorConfig config,
                            ReadPreprocessorConfig("preprocessor_config.json", std::string(json)));
  return ImagePreprocessor(config, conversion);
}

Image ImagePreprocessor::Run(const Image& image) const {
  int width = config_.resize_width > 0 ? config_.resize_width : image.width;
  int height = config_.resize_height > 0 ? config_.resize_height : image.height;
  if (config_.shortest_edge > 0) ScaleToEdge(image, config_.shortest_edge, &width, &height);
  const Window window = CenterWindow(width, height, std::min(width, config_.width),
                                     std::min(height, config_.height), config_.round_margins);
  Image out = Resize(image, width, height, config_.filter, window);
  if (out.width == config_.width && out.height == config_.height) return out;
  return Pad(out, config_.width, config_.height);
}

}  // namespace terminus::media
