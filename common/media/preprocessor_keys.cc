#include "common/media/preprocessor_keys.h"

#include "absl/strings/strip.h"

namespace terminus::media {
namespace {

using settings::Fixed;
using settings::Key;
using settings::NoEffect;
using settings::Table;
using settings::Used;
using settings::Warned;

constexpr absl::string_view kFile = "preprocessor_config.json";

constexpr Channels kHalf = {0.5f, 0.5f, 0.5f};
// Of the pictures that CLIP was trained on.
constexpr Channels kClipMean = {0.48145466f, 0.4578275f, 0.40821073f};
constexpr Channels kClipStd = {0.26862954f, 0.26130258f, 0.27577711f};

constexpr absl::string_view kForm = "says in which form arrays are given and returned";
constexpr absl::string_view kNames = "names code that wrote or reads the file";
constexpr absl::string_view kNoPadding = "this class does not pad";

constexpr Key kCommonKeys[] = {
    Used("image_processor_type", "names the class, whose defaults hold for absent keys"),
    Used("feature_extractor_type", "the older form of image_processor_type"),
    Used("do_resize", "whether pictures are resized"),
    Used("size",
         "{\"shortest_edge\": n}, {\"height\": h, \"width\": w}, [h, w], or n, which the class "
         "takes "
         "as one of the first two"),
    Used("default_to_square", "whether size n is a square"),
    Used("resample", "filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming"),
    Used("do_center_crop", "whether the middle is cut out"),
    Used("crop_size", "size of the middle: n, [h, w] or {\"height\": h, \"width\": w}"),
    Used("do_rescale", "whether pixels are multiplied by rescale_factor"),
    Used("rescale_factor", "multiplies each pixel"),
    Used("do_normalize", "whether image_mean and image_std are applied"),
    Used("image_mean", "subtracted from each channel"),
    Used("image_std", "divides each channel"),
    Used("do_pad", "supported where it would change nothing"),
    Used("pad_size", "size to pad to; supported is the size of what comes out without it"),
    NoEffect("do_convert_rgb", "pictures are decoded to RGB"),
    NoEffect("data_format", kForm),
    NoEffect("input_data_format", kForm),
    NoEffect("return_tensors", kForm),
    NoEffect("device", "chooses where transformers computes"),
    NoEffect("disable_grouping", "chooses how transformers computes"),
    NoEffect("image_seq_length", "a hint for language models"),
    NoEffect("model_input_names", kForm),
    NoEffect("processor_class", kNames),
    NoEffect("_processor_class", kNames),
    NoEffect("_name_or_path", kNames),
    NoEffect("transformers_version", kNames),
    NoEffect("_valid_processor_keys", "lists keys that the class knows"),
    NoEffect("_valid_kwargs_names", "lists keys that the class knows"),
    Warned("auto_map", "code of the folder is never run; the class of transformers is computed"),
};
constexpr Table kCommon = {.file = kFile, .kind = "every class", .keys = kCommonKeys};
constexpr const Table* kBases[] = {&kCommon};

constexpr Key kClipKeys[] = {
    Used("use_square_size", "whether size is a square of 224 pixels, whatever size says"),
};
constexpr Key kConvNextKeys[] = {
    Used("crop_pct",
         "below 384 pixels: side of the crop over the shortest edge that pictures are resized to"),
    Fixed("do_center_crop", "[false]", "this class crops by crop_pct"),
    NoEffect("crop_size", "needs do_center_crop, which is refused"),
    NoEffect("do_pad", kNoPadding),
    NoEffect("pad_size", kNoPadding),
};
constexpr Key kEfficientNetKeys[] = {
    Used("rescale_offset", "whether 1 is subtracted from rescaled pixels"),
    Used("include_top", "whether each channel is divided by image_std once more"),
    NoEffect("do_pad", kNoPadding),
    NoEffect("pad_size", kNoPadding),
};

constexpr Table kClip = {
    .file = kFile, .kind = "CLIPImageProcessor", .keys = kClipKeys, .bases = kBases};
constexpr Table kSiglip = {
    .file = kFile, .kind = "SiglipImageProcessor", .keys = {}, .bases = kBases};
constexpr Table kVit = {.file = kFile, .kind = "ViTImageProcessor", .keys = {}, .bases = kBases};
constexpr Table kBit = {.file = kFile, .kind = "BitImageProcessor", .keys = {}, .bases = kBases};
constexpr Table kConvNext = {
    .file = kFile, .kind = "ConvNextImageProcessor", .keys = kConvNextKeys, .bases = kBases};
constexpr Table kEfficientNet = {.file = kFile,
                                 .kind = "EfficientNetImageProcessor",
                                 .keys = kEfficientNetKeys,
                                 .bases = kBases};

constexpr ImageProcessorClass kClasses[] = {
    {.name = "CLIPImageProcessor",
     .table = &kClip,
     .filter = Filter::kBicubic,
     .shortest_edge = 224,
     .side = 0,
     .number_is_square = false,
     .crops = true,
     .crop_side = 224,
     .mean = kClipMean,
     .std = kClipStd,
     .use_square_size = true},
    {.name = "SiglipImageProcessor",
     .table = &kSiglip,
     .filter = Filter::kBicubic,
     .shortest_edge = 0,
     .side = 224,
     .number_is_square = false,
     .crops = false,
     .crop_side = 0,
     .mean = kHalf,
     .std = kHalf},
    {.name = "ViTImageProcessor",
     .table = &kVit,
     .filter = Filter::kBilinear,
     .shortest_edge = 0,
     .side = 224,
     .number_is_square = true,
     .crops = false,
     .crop_side = 0,
     .mean = kHalf,
     .std = kHalf},
    {.name = "BitImageProcessor",
     .table = &kBit,
     .filter = Filter::kBicubic,
     .shortest_edge = 224,
     .side = 0,
     .number_is_square = false,
     .crops = true,
     .crop_side = 224,
     .mean = kClipMean,
     .std = kClipStd},
    {.name = "ConvNextImageProcessor",
     .table = &kConvNext,
     .filter = Filter::kBicubic,
     .shortest_edge = 384,
     .side = 0,
     .number_is_square = false,
     .crops = false,
     .crop_side = 0,
     .mean = kHalf,
     .std = kHalf,
     .pads = false,
     .crop_pct = true},
    {.name = "EfficientNetImageProcessor",
     .table = &kEfficientNet,
     .filter = Filter::kBicubic,
     .shortest_edge = 0,
     .side = 346,
     .number_is_square = true,
     .crops = false,
     .crop_side = 289,
     .mean = kHalf,
     .std = kHalf,
     .pads = false,
     .efficientnet = true},
};

constexpr absl::string_view kOther = "not part of how pictures are prepared";
constexpr Key kProcessorKeys[] = {
    Used("image_processor", "an object as preprocessor_config.json, which it replaces"),
    NoEffect("processor_class", kNames),
    NoEffect("auto_map", "code of the folder is never run"),
    NoEffect("transformers_version", kNames),
    NoEffect("feature_extractor", kOther),
    NoEffect("video_processor", "a clip's frames are prepared as pictures"),
    NoEffect("tokenizer", kOther),
    NoEffect("chat_template", kOther),
    NoEffect("image_seq_length", kOther),
};

}  // namespace

constexpr Table kClasslessPreprocessor = {
    .file = kFile, .kind = "timm folders", .keys = {}, .bases = kBases};
constexpr Table kProcessorConfig = {
    .file = "processor_config.json", .kind = "every class", .keys = kProcessorKeys};

const ImageProcessorClass* FindImageProcessor(absl::string_view name) {
  for (const char* suffix : {"Fast", "Pil"}) {
    name = absl::StripSuffix(name, suffix);
  }
  for (const ImageProcessorClass& known : kClasses) {
    if (name == known.name) {
      return &known;
    }
  }
  return nullptr;
}

absl::Span<const ImageProcessorClass> ImageProcessors() { return kClasses; }

absl::Span<const Table* const> PreprocessorTables() {
  static constexpr const Table* kTables[] = {&kCommon,
                                             &kClip,
                                             &kSiglip,
                                             &kVit,
                                             &kBit,
                                             &kConvNext,
                                             &kEfficientNet,
                                             &kClasslessPreprocessor,
                                             &kProcessorConfig};
  return kTables;
}

}  // namespace terminus::media
