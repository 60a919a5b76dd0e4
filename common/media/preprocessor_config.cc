#include "common/media/preprocessor_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/media/preprocessor_keys.h"
#include "common/media/preprocessor_size.h"
#include "common/settings/json_file.h"

namespace terminus::media {
namespace {

using nlohmann::json;
using settings::JsonFile;

constexpr double kConvNextCropPct = 224.0 / 256.0;
// From this size on ConvNextImageProcessor does not crop.
constexpr int kConvNextSquare = 384;
// The side of CLIPImageProcessor's own size, which use_square_size takes.
constexpr int kClipSide = 224;

// In the order of PIL.Image.Resampling.
constexpr Filter kFilters[] = {Filter::kNearest, Filter::kLanczos, Filter::kBilinear,
                               Filter::kBicubic, Filter::kBox,     Filter::kHamming};

// Reads the sections of a file into `out`. Null class: only the file's own keys count.
class Reader {
 public:
  Reader(JsonFile& file, const ImageProcessorClass* processor) : file_(file), class_(processor) {}

  PreprocessorConfig Read();

 private:
  // A number that is finite as a float; 0 after a fault.
  float ReadNumber(const json& value, const std::string& key);
  Channels ReadChannels(const std::string& key, Channels ImageProcessorClass::*otherwise);
  Channels ReadStd();

  void Resample();
  void Resize();
  void ReadSize(const json& size);
  void Crop();
  void CropPct();
  void CheckPad();
  void Normalization();
  void EfficientNet(bool rescale, bool normalize);

  JsonFile& file_;
  const ImageProcessorClass* const class_;
  bool crop_ = false;
  PreprocessorConfig out_;
};

float Reader::ReadNumber(const json& value, const std::string& key) {
  if (!value.is_number() || !std::isfinite(value.get<float>())) {
    file_.Fault(key, absl::StrCat("expected a number, found ", value.dump()));
    return 0;
  }
  return value.get<float>();
}

Channels Reader::ReadChannels(const std::string& key, Channels ImageProcessorClass::*otherwise) {
  const json* const found = file_.Find(key);
  if (found == nullptr && class_ != nullptr) {
    return class_->*otherwise;
  }
  Channels values{};
  if (found != nullptr && found->is_number()) {
    values.fill(ReadNumber(*found, key));
  } else if (found == nullptr || !found->is_array() || found->size() != values.size()) {
    file_.Fault(key, "expected three numbers, one a channel");
  } else {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = ReadNumber((*found)[i], key);
    }
  }
  return values;
}

Channels Reader::ReadStd() {
  const Channels std = ReadChannels("image_std", &ImageProcessorClass::std);
  if (*std::min_element(std.begin(), std.end()) <= 0) {
    file_.Fault("image_std", "expected three numbers above 0");
  }
  return std;
}

void Reader::Resample() {
  out_.filter = class_ == nullptr ? Filter::kBilinear : class_->filter;
  const json* const code = file_.Find("resample");
  if (code == nullptr) {
    return;
  }
  if (!code->is_number_integer() || *code < 0 || *code >= std::size(kFilters)) {
    file_.Fault("resample", absl::StrCat("expected 0 (nearest), 1 (Lanczos), 2 (bilinear), 3 "
                                         "(bicubic), 4 (box) or 5 (Hamming), found ",
                                         code->dump()));
    return;
  }
  out_.filter = kFilters[code->get<size_t>()];
}

void Reader::ReadSize(const json& size) {
  if (size.is_number()) {
    const int edge = ReadPixels(file_, size, "size");
    const bool square_by_class = class_ == nullptr ? !crop_ : class_->number_is_square;
    if (file_.BoolOr("default_to_square", square_by_class)) {
      out_.resize_width = out_.resize_height = edge;
    } else {
      out_.shortest_edge = edge;
    }
    return;
  }
  const bool no_longest = size.is_object() && size.value("longest_edge", json()).is_null();
  if (no_longest && size.size() == 1 + size.count("longest_edge") &&
      size.contains("shortest_edge")) {
    out_.shortest_edge = ReadPixels(file_, size["shortest_edge"], "size.shortest_edge");
    return;
  }
  const auto both = ReadHeightAndWidth(file_, size, "size");
  if (!both) {
    // longest_edge, max_height, max_pixels … keep the shape of each picture.
    file_.Fault("size",
                absl::StrCat("expected a number, {shortest_edge} or {height, width}, which give "
                             "one fixed size, found ",
                             size.dump()));
    return;
  }
  out_.resize_width = both->width;
  out_.resize_height = both->height;
}

void Reader::Resize() {
  const bool square =
      class_ != nullptr && class_->use_square_size && file_.BoolOr("use_square_size", false);
  if (!file_.BoolOr("do_resize", true)) {
    if (!crop_) {
      file_.Fault("do_resize",
                  "expected true, or do_center_crop, since models take one fixed size");
    }
    return;
  }
  const json* const size = file_.Find("size");
  if (square) {
    out_.resize_width = out_.resize_height = kClipSide;
  } else if (size != nullptr) {
    ReadSize(*size);
  } else if (class_ != nullptr) {
    out_.shortest_edge = class_->shortest_edge;
    out_.resize_width = out_.resize_height = class_->side;
  } else {
    file_.Fault("size", "missing");
  }
}

void Reader::Crop() {
  if (!crop_) {
    if (out_.shortest_edge > 0) {
      file_.Fault("size.shortest_edge",
                  "expected do_center_crop with it, since models take one fixed size");
    }
    out_.width = out_.resize_width;
    out_.height = out_.resize_height;
    return;
  }
  if (const json* const found = file_.Find("crop_size")) {
    const PictureSize size = ReadPictureSize(file_, *found, "crop_size");
    out_.width = size.width;
    out_.height = size.height;
  } else if (class_ != nullptr && class_->crop_side > 0) {
    out_.width = out_.height = class_->crop_side;
  } else {
    file_.Fault("crop_size", "missing, though do_center_crop is true");
  }
}

// The way of ConvNextImageProcessor in place of a crop of its own.
void Reader::CropPct() {
  const int edge = out_.shortest_edge;
  if (edge == 0) {
    file_.Fault("size", absl::StrCat("expected {shortest_edge}, all that ", class_->name,
                                     " takes, and do_resize"));
    return;
  }
  out_.width = out_.height = edge;
  if (edge >= kConvNextSquare) {
    out_.shortest_edge = 0;
    out_.resize_width = out_.resize_height = edge;
    return;
  }
  const double crop_pct = file_.NumberOr("crop_pct", kConvNextCropPct);
  // Above 1 it would pad; at the lower end the sides stay within what is allowed elsewhere.
  if (!(crop_pct > 0 && crop_pct <= 1 && edge / crop_pct <= kMaxPreparedSide)) {
    file_.Fault("crop_pct", absl::StrCat("expected above 0 to 1, and size / crop_pct up to ",
                                         kMaxPreparedSide, ", found ", crop_pct));
    return;
  }
  out_.shortest_edge = static_cast<int>(edge / crop_pct);
}

// Pictures of one size are padded to nothing larger, unless pad_size asks for it.
void Reader::CheckPad() {
  const json* const found = file_.Find("pad_size");
  if (!file_.BoolOr("do_pad", false) || found == nullptr) {
    return;
  }
  const PictureSize size = ReadPictureSize(file_, *found, "pad_size");
  if (size.width != out_.width || size.height != out_.height) {
    file_.Fault("do_pad",
                absl::StrCat("padding to ", size.width, " x ", size.height,
                             " is not supported; expected false, or pad_size ", out_.width, " x ",
                             out_.height, ", the size of what comes out without it"));
  }
}

void Reader::Normalization() {
  const bool rescale = file_.BoolOr("do_rescale", true);
  const json* const factor = file_.Find("rescale_factor");
  if (!rescale) {
    out_.rescale_factor = 1.0f;
  } else if (factor != nullptr) {
    out_.rescale_factor = ReadNumber(*factor, "rescale_factor");
  }
  const bool normalize = file_.BoolOr("do_normalize", true);
  if (normalize) {
    out_.mean = ReadChannels("image_mean", &ImageProcessorClass::mean);
    out_.std = ReadStd();
  }
  if (class_ != nullptr && class_->efficientnet) {
    EfficientNet(rescale, normalize);
  }
}

// With x = pixel * rescale_factor: x - 1 for rescale_offset, which only a rescaled picture has, and
// all divided by image_std (once more) for include_top.
void Reader::EfficientNet(bool rescale, bool normalize) {
  if (file_.BoolOr("rescale_offset", false) && rescale) {
    for (float& mean : out_.mean) {
      mean += 1;
    }
  }
  if (!file_.BoolOr("include_top", true)) {
    return;
  }
  const Channels std = ReadStd();
  for (size_t i = 0; i < std.size(); ++i) {
    out_.std[i] = normalize ? std[i] * std[i] : std[i];
  }
}

PreprocessorConfig Reader::Read() {
  const bool crops_by_pct = class_ != nullptr && class_->crop_pct;
  if (!crops_by_pct) {
    crop_ = file_.BoolOr("do_center_crop", class_ != nullptr && class_->crops);
  }
  Resample();
  Resize();
  if (crops_by_pct) {
    CropPct();
  } else {
    Crop();
  }
  if (class_ == nullptr || class_->pads) {
    CheckPad();
  }
  Normalization();
  return out_;
}

// Which class the file names, null for none.
absl::StatusOr<const ImageProcessorClass*> FindClass(const std::string& path,
                                                     const std::string& text,
                                                     absl::string_view otherwise) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Parse(path, text));
  const std::string key =
      file.Has("image_processor_type") ? "image_processor_type" : "feature_extractor_type";
  const std::string found = file.StringOr(key, std::string(otherwise));
  TERMINUS_RETURN_IF_ERROR(file.status());
  if (found.empty()) {
    return nullptr;
  }
  // Names of older versions stand under either key.
  const std::string name = absl::StrReplaceAll(found, {{"FeatureExtractor", "ImageProcessor"}});
  const ImageProcessorClass* const processor = FindImageProcessor(name);
  if (processor == nullptr) {
    const auto append = [](std::string* out, const ImageProcessorClass& known) {
      absl::StrAppend(out, known.name);
    };
    file.Fault(key, absl::StrCat("\"", found, "\" is not supported; supported are ",
                                 absl::StrJoin(ImageProcessors(), ", ", append)));
    return file.status();
  }
  return processor;
}

}  // namespace

absl::StatusOr<PreprocessorConfig> ReadPreprocessorConfig(const std::string& path,
                                                          const std::string& text,
                                                          absl::string_view otherwise) {
  TERMINUS_ASSIGN_OR_RETURN(const ImageProcessorClass* const processor,
                            FindClass(path, text, otherwise));
  TERMINUS_ASSIGN_OR_RETURN(
      JsonFile file,
      JsonFile::Parse(path, text,
                      processor == nullptr ? &kClasslessPreprocessor : processor->table));
  const PreprocessorConfig config = Reader(file, processor).Read();
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace terminus::media
