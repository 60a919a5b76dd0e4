#pragma once

#include <array>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/media/resize.h"
#include "common/settings/table.h"

// The image processor classes of transformers 5 that preprocessor_config.json may name, with the
// keys that each knows and the values that it takes for absent ones.
namespace terminus::media {

using Channels = std::array<float, 3>;

struct ImageProcessorClass {
  absl::string_view name;
  const settings::Table* table;
  Filter filter;
  // Of what is resized: the shortest edge, or 0 and both sides of a square.
  int shortest_edge;
  int side;
  // Whether `size: n` is a square rather than the shortest edge.
  bool number_is_square;
  bool crops;     // Where do_center_crop is absent.
  int crop_side;  // 0: crop_size must be there when it crops.
  Channels mean;
  Channels std;
  bool pads = true;  // Whether it looks at do_pad.
  // Beyond the common keys.
  bool crop_pct = false;         // ConvNextImageProcessor
  bool efficientnet = false;     // EfficientNetImageProcessor
  bool use_square_size = false;  // CLIPImageProcessor
};

// Null for a name that is none of theirs. "Fast" or "Pil" may stand at its end: the same class on
// another library.
const ImageProcessorClass* FindImageProcessor(absl::string_view name);

absl::Span<const ImageProcessorClass> ImageProcessors();

// Keys of a file that names no class, in a folder whose model has none: timm's.
extern const settings::Table kClasslessPreprocessor;

// Keys of processor_config.json.
extern const settings::Table kProcessorConfig;

// The tables of this folder, in the order of the docs.
absl::Span<const settings::Table* const> PreprocessorTables();

}  // namespace terminus::media
