#pragma once

#include <array>
#include <string>

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

// Reads the text of a preprocessor_config.json of Hugging Face's transformers, or of the object
// "image_processor" of a processor_config.json. `path` names it in messages and warnings.
//
// Its `image_processor_type` (or `feature_extractor_type` of old files) names a class of
// transformers 5, whose defaults hold for absent keys (preprocessor_keys.h). Where the file names
// no class, that of the name `otherwise` holds; where that is empty too, only resample (bilinear)
// and rescale_factor (1/255) have a default.
//
// INVALID_ARGUMENT names each key that is not supported and what is, also for what would not give
// pictures of one fixed size. Unknown keys are one warning (common/settings/collector.h).
absl::StatusOr<PreprocessorConfig> ReadPreprocessorConfig(const std::string& path,
                                                          const std::string& json,
                                                          absl::string_view otherwise = "");

}  // namespace terminus::media
