#pragma once

#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/resize.h"

namespace terminus::media {

// What is done to a picture before a model sees it, all defaults filled in. First the size, then
// the crop, then (pixel * rescale_factor - mean) / std of each channel.
struct PreprocessorConfig {
  Filter filter = Filter::kBilinear;
  // One of: the shortest edge becomes this long, the other in proportion, cut to whole pixels; the
  // picture becomes resize_width x resize_height; both 0, it keeps its size.
  int shortest_edge = 0;
  int resize_width = 0;
  int resize_height = 0;
  // Of what comes out: the middle of what was resized, with black around it where that is smaller.
  int width = 0;
  int height = 0;
  // Odd margins of a crop. false: the smaller half is to the left and above; true: half a pixel is
  // rounded to the even one, as Python's round() does.
  bool round_margins = false;
  float rescale_factor = 1.0f / 255.0f;
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> std = {1, 1, 1};
};

// Reads a preprocessor_config.json of Hugging Face's transformers. `image_processor_type` (or
// `feature_extractor_type` of old files) decides what holds for keys that are left out or null, as
// the class of that name has it in transformers 5:
//   CLIPImageProcessor, SiglipImageProcessor, ViTImageProcessor, BitImageProcessor,
//   ConvNextImageProcessor, EfficientNetImageProcessor; each also with Fast or Pil at its end
// Without a type nothing but resample (bilinear) and rescale_factor (1/255) has a default. Read are
//   do_resize, size           {"shortest_edge": n} with do_center_crop, {"height": h, "width": w},
//                             [h, w], or n, which the type (or default_to_square) takes as one of
//                             the first two; without a type, the shortest edge where there is a
//                             crop
//   resample                  0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming
//   do_center_crop, crop_size n, [h, w] or {"height": h, "width": w}
//   crop_pct                  of ConvNextImageProcessor: below 384 pixels it resizes to
//                             size / crop_pct and crops to size, from 384 on it makes a square
//   do_rescale, rescale_factor, do_normalize, image_mean, image_std
//   rescale_offset, include_top   of EfficientNetImageProcessor
//   do_pad, pad_size          where they would change nothing
// Keys that change no pixel are accepted; any other is refused with the nearest key.
// INVALID_ARGUMENT names the key and what is supported, also for what would not give pictures of
// one fixed size.
absl::StatusOr<PreprocessorConfig> ReadPreprocessorConfig(absl::string_view json);

}  // namespace terminus::media
