#include "models/vision/timm_config.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/settings/timm_config.h"

namespace terminus::models::vision {
namespace {

using settings::JsonFile;

constexpr int kMaxClasses = 1 << 20;
constexpr int kMaxSide = 4096;

struct FilterName {
  const char* name;
  media::Filter filter;
};
constexpr FilterName kFilters[] = {
    {"nearest", media::Filter::kNearest}, {"bilinear", media::Filter::kBilinear},
    {"bicubic", media::Filter::kBicubic}, {"box", media::Filter::kBox},
    {"hamming", media::Filter::kHamming}, {"lanczos", media::Filter::kLanczos},
};

media::Filter ReadFilter(JsonFile& file) {
  const std::string name = file.StringOr("interpolation", "bicubic");
  for (const FilterName& known : kFilters) {
    if (name == known.name) {
      return known.filter;
    }
  }
  file.Fault("interpolation", absl::StrCat("\"", name,
                                           "\", expected \"nearest\", \"bilinear\", \"bicubic\", "
                                           "\"box\", \"hamming\" or \"lanczos\""));
  return media::Filter::kBicubic;
}

std::array<float, 3> ReadChannels(JsonFile& file, const std::string& key,
                                  std::vector<double> otherwise) {
  const std::vector<double> values = file.NumbersOr(key, std::move(otherwise));
  return {static_cast<float>(values[0]), static_cast<float>(values[1]),
          static_cast<float>(values[2])};
}

// Of {channels, height, width}.
void ReadInputSize(JsonFile& file, media::PreprocessorConfig* out) {
  const std::vector<double> size = file.NumbersOr("input_size", {3, 224, 224});
  const auto is_side = [](double side) {
    return side == std::floor(side) && side >= 1 && side <= kMaxSide;
  };
  if (size[0] != 3 || !is_side(size[1]) || !is_side(size[2])) {
    file.Fault("input_size", absl::StrCat("expected 3 channels and sides of 1 to ", kMaxSide));
    return;
  }
  out->height = static_cast<int>(size[1]);
  out->width = static_cast<int>(size[2]);
}

// timm resizes to the crop's sides over crop_pct, and takes the middle.
void ReadCrop(JsonFile& file, media::PreprocessorConfig* out) {
  double crop_pct = file.NumberOr("crop_pct", 0.875);
  crop_pct = crop_pct == 0 ? 0.875 : crop_pct;  // As timm reads a 0.
  const int side = std::max(out->width, out->height);
  if (!(crop_pct > 0 && crop_pct <= 1 && side / crop_pct <= kMaxSide)) {
    file.Fault(
        "crop_pct",
        absl::StrCat(crop_pct, ", expected above 0 to 1, and sides over it up to ", kMaxSide));
    return;
  }
  const std::string mode = file.StringOr("crop_mode", "center");
  const int height = static_cast<int>(std::floor(out->height / crop_pct));
  const int width = static_cast<int>(std::floor(out->width / crop_pct));
  if (mode == "squash") {
    out->resize_height = height;
    out->resize_width = width;
  } else if (mode != "center") {
    file.Fault("crop_mode",
               absl::StrCat("\"", mode, "\", supported are \"center\" and \"squash\""));
  } else if (height != width) {
    file.Fault("input_size", "expected equal sides, or crop_mode \"squash\"");
  } else {
    out->shortest_edge = height;
  }
  out->round_margins = true;
}

media::PreprocessorConfig ReadPreprocessor(JsonFile& file) {
  media::PreprocessorConfig out;
  out.filter = ReadFilter(file);
  ReadInputSize(file, &out);
  ReadCrop(file, &out);
  out.mean = ReadChannels(file, "mean", {0.485, 0.456, 0.406});
  out.std = ReadChannels(file, "std", {0.229, 0.224, 0.225});
  if (*std::min_element(out.std.begin(), out.std.end()) <= 0) {
    file.Fault("std", "expected three numbers above 0");
  }
  return out;
}

// timm.create_model fails for arguments that it does not know.
void CheckArguments(JsonFile& arguments) {
  for (const auto& [key, value] : arguments.json().items()) {
    if (settings::kTimmModelArgs.Find(key) == nullptr) {
      arguments.Fault(key, "EfficientNet-Lite takes no such argument");
    }
  }
}

// Reads what `arguments` says into `config`, whose classes are those of the weights.
void ReadArguments(JsonFile& arguments, TimmConfig* config) {
  CheckArguments(arguments);
  if (arguments.IntOr("num_classes", 0, kMaxClasses, config->classes) != config->classes) {
    arguments.Fault("num_classes", absl::StrCat("the weights have ", config->classes));
  }
  if (arguments.Has("pad_type")) {
    config->pad_type = arguments.StringOr("pad_type", "");
    if (*config->pad_type != "" && *config->pad_type != "same") {
      arguments.Fault("pad_type",
                      absl::StrCat("\"", *config->pad_type, "\", supported are \"\" and \"same\""));
    }
  }
  if (arguments.Has("bn_eps")) {
    config->batch_norm_eps = arguments.NumberOr("bn_eps", 0);
    if (!(*config->batch_norm_eps > 0 && *config->batch_norm_eps < 1)) {
      arguments.Fault("bn_eps", "expected a number above 0, below 1");
    }
  }
}

}  // namespace

absl::StatusOr<TimmConfig> ReadTimmConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(folder + "/config.json", &settings::kTimmConfig));
  TimmConfig config;
  config.architecture = file.String("architecture");
  config.architecture.resize(std::min(config.architecture.size(), config.architecture.find('.')));
  JsonFile pretrained = file.Object("pretrained_cfg");
  // Files that timm wrote of old are what is now "pretrained_cfg".
  const bool is_old = !file.Has("pretrained_cfg");
  JsonFile& input = is_old ? file : pretrained;
  terminus::settings::RefuseNull(input, {"input_size", "mean", "std"});
  config.preprocessor = ReadPreprocessor(input);
  const int64_t classes = input.IntOr("num_classes", 1, kMaxClasses, 1000);
  config.classes = static_cast<int>(file.IntOr("num_classes", 1, kMaxClasses, classes));
  JsonFile arguments = file.Object("model_args");
  if (is_old && file.Has("model_args")) {
    file.Fault("model_args", "expected pretrained_cfg beside it");
  }
  terminus::settings::RefuseNull(arguments, {"act_layer", "bn_eps"});
  ReadArguments(arguments, &config);
  if (!is_old) {
    file.Adopt("pretrained_cfg", pretrained);
  }
  file.Adopt("model_args", arguments);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace terminus::models::vision
