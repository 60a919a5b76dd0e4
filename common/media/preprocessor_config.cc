#include "common/media/preprocessor_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"

namespace terminus::media {
namespace {

using Json = nlohmann::json;
using Channels = std::array<float, 3>;

constexpr int kMaxSize = 4096;

constexpr Channels kHalf = {0.5f, 0.5f, 0.5f};
// Of the pictures that CLIP was trained on.
constexpr Channels kClipMean = {0.48145466f, 0.4578275f, 0.40821073f};
constexpr Channels kClipStd = {0.26862954f, 0.26130258f, 0.27577711f};

// What a class of transformers takes for keys that are left out.
struct Family {
  const char* type;
  Filter filter;
  int shortest_edge;  // 0: a square of `side`
  int side;
  bool number_is_square;  // What `size: n` means.
  int crop;               // 0: none
  Channels mean;
  Channels std;
  // Beyond the common keys.
  bool crop_pct = false;
  bool efficientnet = false;
};

constexpr Family kFamilies[] = {
    {"CLIPImageProcessor", Filter::kBicubic, 224, 0, false, 224, kClipMean, kClipStd},
    {"SiglipImageProcessor", Filter::kBicubic, 0, 224, false, 0, kHalf, kHalf},
    {"ViTImageProcessor", Filter::kBilinear, 0, 224, true, 0, kHalf, kHalf},
    {"BitImageProcessor", Filter::kBicubic, 224, 0, false, 224, kClipMean, kClipStd},
    {"ConvNextImageProcessor", Filter::kBicubic, 384, 0, false, 0, kHalf, kHalf,
     /*crop_pct=*/true},
    {"EfficientNetImageProcessor", Filter::kBicubic, 0, 346, true, 0, kHalf, kHalf,
     /*crop_pct=*/false, /*efficientnet=*/true},
};

constexpr double kConvNextCropPct = 224.0 / 256.0;
// From this size on ConvNextImageProcessor does not crop.
constexpr int kConvNextSquare = 384;

// In the order of PIL.Image.Resampling.
constexpr Filter kFilters[] = {Filter::kNearest, Filter::kLanczos, Filter::kBilinear,
                               Filter::kBicubic, Filter::kBox,     Filter::kHamming};

const char* const kKnownKeys[] = {"do_resize",
                                  "size",
                                  "resample",
                                  "do_center_crop",
                                  "crop_size",
                                  "crop_pct",
                                  "do_rescale",
                                  "rescale_factor",
                                  "do_normalize",
                                  "image_mean",
                                  "image_std",
                                  "do_convert_rgb",
                                  "do_pad",
                                  "pad_size",
                                  "default_to_square",
                                  "rescale_offset",
                                  "include_top",
                                  "image_processor_type",
                                  "feature_extractor_type"};

// They say which code wrote or reads the file, or in what form it takes and gives its arrays.
const char* const kHarmlessKeys[] = {
    "processor_class",     "auto_map",         "transformers_version", "_valid_processor_keys",
    "_valid_kwargs_names", "data_format",      "input_data_format",    "device",
    "return_tensors",      "disable_grouping", "image_seq_length",     "model_input_names",
    "_processor_class",    "_name_or_path"};

template <typename... Args>
absl::Status Bad(const Args&... args) {
  return absl::InvalidArgumentError(absl::StrCat(args...));
}

template <size_t N>
bool Contains(const char* const (&keys)[N], const std::string& key) {
  return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

absl::StatusOr<int> ReadPixels(const Json& value, absl::string_view key) {
  if (!value.is_number_integer() || value < 1 || value > kMaxSize) {
    return Bad(key, ": expected 1 to ", kMaxSize, " pixels, found ", value.dump());
  }
  return value.get<int>();
}

absl::StatusOr<float> ReadNumber(const Json& value, absl::string_view key) {
  if (!value.is_number() || !std::isfinite(value.get<float>())) {
    return Bad(key, ": expected a number, found ", value.dump());
  }
  return value.get<float>();
}

struct Size {
  int width = 0;
  int height = 0;
};

// [h, w] or {"height": h, "width": w}; nothing for another form.
absl::StatusOr<absl::optional<Size>> ReadHeightAndWidth(const Json& json, const std::string& key) {
  const Json* height = nullptr;
  const Json* width = nullptr;
  if (json.is_array() && json.size() == 2) {
    height = &json[0];
    width = &json[1];
  } else if (json.is_object() && json.size() == 2 && json.contains("height") &&
             json.contains("width")) {
    height = &json["height"];
    width = &json["width"];
  } else {
    return absl::optional<Size>();
  }
  Size size;
  TERMINUS_ASSIGN_OR_RETURN(size.height, ReadPixels(*height, key + ".height"));
  TERMINUS_ASSIGN_OR_RETURN(size.width, ReadPixels(*width, key + ".width"));
  return absl::optional<Size>(size);
}

// Where a picture is of one size only: a number is a square.
absl::StatusOr<Size> ReadOneSize(const Json& json, const std::string& key) {
  if (json.is_number()) {
    TERMINUS_ASSIGN_OR_RETURN(const int side, ReadPixels(json, key));
    return Size{side, side};
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto size, ReadHeightAndWidth(json, key));
  if (!size) return Bad(key, ": expected a number or {height, width}, found ", json.dump());
  return *size;
}

// Reads the sections of the file into `out`.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  absl::StatusOr<PreprocessorConfig> Read();

 private:
  // Null where the class's default holds.
  const Json* Find(const char* key) const;
  absl::StatusOr<bool> Bool(const char* key, bool otherwise) const;
  absl::StatusOr<Channels> ReadChannels(const char* key, Channels Family::*otherwise) const;

  absl::Status FindFamily();
  absl::Status CheckKeys() const;
  absl::Status Resample();
  absl::Status Resize();
  absl::Status Number(int edge);
  absl::Status Crop();
  absl::Status CropPct();
  absl::Status CheckPad() const;
  absl::Status Normalization();
  absl::Status EfficientNet(bool normalize);

  const Json& json_;
  const Family* family_ = nullptr;
  bool crop_ = false;
  PreprocessorConfig out_;
};

const Json* Reader::Find(const char* key) const {
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<bool> Reader::Bool(const char* key, bool otherwise) const {
  const Json* const found = Find(key);
  if (found == nullptr) return otherwise;
  if (!found->is_boolean()) return Bad(key, ": expected true or false, found ", found->dump());
  return found->get<bool>();
}

absl::StatusOr<Channels> Reader::ReadChannels(const char* key, Channels Family::*otherwise) const {
  const Json* const found = Find(key);
  if (found == nullptr && family_ != nullptr) return family_->*otherwise;
  Channels values{};
  if (found != nullptr && found->is_number()) {
    TERMINUS_ASSIGN_OR_RETURN(const float value, ReadNumber(*found, key));
    values.fill(value);
    return values;
  }
  if (found == nullptr || !found->is_array() || found->size() != values.size()) {
    return Bad(key, ": expected three numbers, one a channel");
  }
  for (size_t i = 0; i < values.size(); ++i) {
    TERMINUS_ASSIGN_OR_RETURN(values[i], ReadNumber((*found)[i], key));
  }
  return values;
}

// Which class the file names; none is fine, one that is not known is not.
absl::Status Reader::FindFamily() {
  const char* key = "image_processor_type";
  const Json* found = Find(key);
  if (found == nullptr) {
    key = "feature_extractor_type";
    found = Find(key);
  }
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_string()) return Bad(key, ": expected a name, found ", found->dump());
  std::string type = found->get<std::string>();
  if (absl::EndsWith(type, "FeatureExtractor")) {
    type = absl::StrCat(absl::StripSuffix(type, "FeatureExtractor"), "ImageProcessor");
  }
  for (const char* suffix : {"Fast", "Pil"}) {
    type = std::string(absl::StripSuffix(type, suffix));
  }
  std::string known;
  for (const Family& family : kFamilies) {
    if (type == family.type) family_ = &family;
    absl::StrAppend(&known, known.empty() ? "" : ", ", family.type);
  }
  if (family_ == nullptr) {
    return Bad(key, ": ", found->dump(), " is not supported; supported are ", known);
  }
  return absl::OkStatus();
}

absl::Status Reader::CheckKeys() const {
  for (const auto& [key, value] : json_.items()) {
    if (Contains(kKnownKeys, key) || Contains(kHarmlessKeys, key) || value.is_null()) continue;
    const std::vector<std::string> known(std::begin(kKnownKeys), std::end(kKnownKeys));
    return Bad(key, ": unknown, and it could change the pixels; the nearest known key is ",
               base::Nearest(key, known));
  }
  return absl::OkStatus();
}

absl::Status Reader::Resample() {
  out_.filter = family_ == nullptr ? Filter::kBilinear : family_->filter;
  const Json* const code = Find("resample");
  if (code == nullptr) return absl::OkStatus();
  if (!code->is_number_integer() || *code < 0 || *code >= std::size(kFilters)) {
    return Bad(
        "resample: expected 0 (nearest), 1 (Lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 "
        "(Hamming), found ",
        code->dump());
  }
  out_.filter = kFilters[code->get<size_t>()];
  return absl::OkStatus();
}

// What `size: edge` means.
absl::Status Reader::Number(int edge) {
  const bool square_by_type = family_ == nullptr ? !crop_ : family_->number_is_square;
  TERMINUS_ASSIGN_OR_RETURN(const bool square, Bool("default_to_square", square_by_type));
  if (square) {
    out_.resize_width = out_.resize_height = edge;
  } else {
    out_.shortest_edge = edge;
  }
  return absl::OkStatus();
}

absl::Status Reader::Resize() {
  TERMINUS_ASSIGN_OR_RETURN(const bool resize, Bool("do_resize", true));
  if (!resize) {
    if (crop_) return absl::OkStatus();
    return Bad("do_resize: expected true, or do_center_crop, since models take one fixed size");
  }
  const Json* const size = Find("size");
  if (size == nullptr) {
    if (family_ == nullptr) return Bad("size: missing");
    out_.shortest_edge = family_->shortest_edge;
    out_.resize_width = out_.resize_height = family_->side;
  } else if (size->is_number()) {
    TERMINUS_ASSIGN_OR_RETURN(const int edge, ReadPixels(*size, "size"));
    TERMINUS_RETURN_IF_ERROR(Number(edge));
  } else if (size->is_object() && size->size() == 1 && size->contains("shortest_edge")) {
    TERMINUS_ASSIGN_OR_RETURN(out_.shortest_edge,
                              ReadPixels((*size)["shortest_edge"], "size.shortest_edge"));
  } else {
    TERMINUS_ASSIGN_OR_RETURN(const auto both, ReadHeightAndWidth(*size, "size"));
    if (!both) {
      // longest_edge, max_height, max_pixels … keep the shape of each picture.
      return Bad(
          "size: expected a number, {shortest_edge} or {height, width}, which give one fixed size, "
          "found ",
          size->dump());
    }
    out_.resize_width = both->width;
    out_.resize_height = both->height;
  }
  return absl::OkStatus();
}

absl::Status Reader::Crop() {
  if (!crop_) {
    if (out_.shortest_edge > 0) {
      return Bad(
          "size.shortest_edge: expected do_center_crop with it, since models take one fixed size");
    }
    out_.width = out_.resize_width;
    out_.height = out_.resize_height;
    return absl::OkStatus();
  }
  Size size;
  if (const Json* const found = Find("crop_size")) {
    TERMINUS_ASSIGN_OR_RETURN(size, ReadOneSize(*found, "crop_size"));
  } else if (family_ != nullptr && family_->crop > 0) {
    size = {family_->crop, family_->crop};
  } else {
    return Bad("crop_size: missing, though do_center_crop is true");
  }
  out_.width = size.width;
  out_.height = size.height;
  return absl::OkStatus();
}

// The way of ConvNextImageProcessor in place of a crop of its own.
absl::Status Reader::CropPct() {
  const int edge = out_.shortest_edge;
  if (edge == 0) return Bad("size: expected {shortest_edge}, all that ", family_->type, " takes");
  if (crop_) return Bad("do_center_crop: expected false, since ", family_->type, " crops itself");
  out_.width = out_.height = edge;
  if (edge >= kConvNextSquare) {
    out_.shortest_edge = 0;
    out_.resize_width = out_.resize_height = edge;
    return absl::OkStatus();
  }
  double crop_pct = kConvNextCropPct;
  if (const Json* const found = Find("crop_pct")) {
    crop_pct = found->is_number() ? found->get<double>() : 0;
    // Above 1 it would pad; at the lower end the sides stay within what is allowed elsewhere.
    if (!(crop_pct > 0 && crop_pct <= 1 && edge / crop_pct <= kMaxSize)) {
      return Bad("crop_pct: expected above 0 to 1, and size / crop_pct up to ", kMaxSize,
                 ", found ", found->dump());
    }
  }
  out_.shortest_edge = static_cast<int>(edge / crop_pct);
  return absl::OkStatus();
}

// Pictures of one size are padded to nothing larger, unless pad_size asks for it.
absl::Status Reader::CheckPad() const {
  TERMINUS_ASSIGN_OR_RETURN(const bool pad, Bool("do_pad", false));
  const Json* const found = Find("pad_size");
  if (!pad || found == nullptr) return absl::OkStatus();
  TERMINUS_ASSIGN_OR_RETURN(const Size size, ReadOneSize(*found, "pad_size"));
  if (size.width == out_.width && size.height == out_.height) return absl::OkStatus();
  return Bad("do_pad: padding to ", size.width, " x ", size.height,
             " is not supported; expected false, or pad_size ", out_.width, " x ", out_.height,
             ", the size of what comes out without it");
}

absl::Status Reader::Normalization() {
  TERMINUS_ASSIGN_OR_RETURN(const bool rescale, Bool("do_rescale", true));
  const Json* const factor = Find("rescale_factor");
  if (!rescale) {
    out_.rescale_factor = 1.0f;
  } else if (factor != nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(out_.rescale_factor, ReadNumber(*factor, "rescale_factor"));
  }
  TERMINUS_ASSIGN_OR_RETURN(const bool normalize, Bool("do_normalize", true));
  if (normalize) {
    TERMINUS_ASSIGN_OR_RETURN(out_.mean, ReadChannels("image_mean", &Family::mean));
    TERMINUS_ASSIGN_OR_RETURN(out_.std, ReadChannels("image_std", &Family::std));
    for (const float value : out_.std) {
      if (!(value > 0)) return Bad("image_std: expected three numbers above 0");
    }
  }
  return family_ != nullptr && family_->efficientnet ? EfficientNet(normalize) : absl::OkStatus();
}

// With x = pixel * rescale_factor: x - 1 for rescale_offset, which only a rescaled picture has, and
// all divided by image_std (once more) for include_top.
absl::Status Reader::EfficientNet(bool normalize) {
  TERMINUS_ASSIGN_OR_RETURN(const bool rescale, Bool("do_rescale", true));
  TERMINUS_ASSIGN_OR_RETURN(const bool offset, Bool("rescale_offset", false));
  TERMINUS_ASSIGN_OR_RETURN(const bool top, Bool("include_top", true));
  if (offset && rescale) {
    for (float& mean : out_.mean) mean += 1;
  }
  if (!top) return absl::OkStatus();
  TERMINUS_ASSIGN_OR_RETURN(const Channels std, ReadChannels("image_std", &Family::std));
  for (size_t i = 0; i < std.size(); ++i) {
    if (!(std[i] > 0)) return Bad("image_std: expected three numbers above 0");
    out_.std[i] = normalize ? std[i] * std[i] : std[i];
  }
  return absl::OkStatus();
}

absl::StatusOr<PreprocessorConfig> Reader::Read() {
  TERMINUS_RETURN_IF_ERROR(FindFamily());
  TERMINUS_RETURN_IF_ERROR(CheckKeys());
  TERMINUS_ASSIGN_OR_RETURN(crop_, Bool("do_center_crop", family_ != nullptr && family_->crop > 0));
  TERMINUS_RETURN_IF_ERROR(Resample());
  TERMINUS_RETURN_IF_ERROR(Resize());
  if (family_ != nullptr && family_->crop_pct) {
    TERMINUS_RETURN_IF_ERROR(CropPct());
  } else {
    TERMINUS_RETURN_IF_ERROR(Crop());
  }
  TERMINUS_RETURN_IF_ERROR(CheckPad());
  TERMINUS_RETURN_IF_ERROR(Normalization());
  return out_;
}

}  // namespace

absl::StatusOr<PreprocessorConfig> ReadPreprocessorConfig(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Bad("expected a JSON object");
  return Reader(json).Read();
}

}  // namespace terminus::media
