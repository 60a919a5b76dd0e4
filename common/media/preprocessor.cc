#include "common/media/preprocessor.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::media {

using Json = nlohmann::json;

namespace {

constexpr int kMaxSize = 4096;

template <typename... Args>
absl::Status Bad(const Args&... args) {
  return absl::InvalidArgumentError(absl::StrCat(args...));
}

absl::StatusOr<int> ReadSize(const Json& value, absl::string_view key) {
  if (!value.is_number_integer() || value < 1 || value > kMaxSize) {
    return Bad(key, ": expected 1 to ", kMaxSize, " pixels, found ", value.dump());
  }
  return value.get<int>();
}

absl::StatusOr<bool> ReadBool(const Json& json, const char* key, bool otherwise) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) return Bad(key, ": expected true or false, found ", found->dump());
  return found->get<bool>();
}

absl::StatusOr<std::array<float, 3>> ReadChannels(const Json& json, const char* key) {
  const auto found = json.find(key);
  std::array<float, 3> values{};
  if (found == json.end() || !found->is_array() || found->size() != values.size() ||
      !std::all_of(found->begin(), found->end(), [](const Json& v) { return v.is_number(); })) {
    return Bad(key, ": expected three numbers, one a channel");
  }
  std::transform(found->begin(), found->end(), values.begin(),
                 [](const Json& v) { return v.get<float>(); });
  return values;
}

bool HasHeightAndWidth(const Json& json) {
  return json.is_object() && json.size() == 2 && json.contains("height") && json.contains("width");
}

}  // namespace

// Reads the sections of the file.
struct ImagePreprocessor::Reader {
  const Json& json;
  Config& out;

  absl::Status Resize() const {
    TERMINUS_ASSIGN_OR_RETURN(const bool resize, ReadBool(json, "do_resize", true));
    if (!resize) return Bad("do_resize: expected true, since models take one fixed size");
    const auto found = json.find("resample");
    const Json code = found == json.end() ? Json(2) : *found;
    if (code == 1) {
      out.filter = Filter::kLanczos;
    } else if (code == 2) {
      out.filter = Filter::kBilinear;
    } else if (code == 3) {
      out.filter = Filter::kBicubic;
    } else {
      return Bad("resample: expected 1 (Lanczos), 2 (bilinear) or 3 (bicubic), found ",
                 code.dump());
    }
    return absl::OkStatus();
  }

  absl::Status Size(bool crop) const {
    const auto size = json.find("size");
    if (size == json.end()) return Bad("size: missing");
    if (size->is_number()) {
      TERMINUS_ASSIGN_OR_RETURN(const int edge, ReadSize(*size, "size"));
      if (crop) {
        out.shortest_edge = edge;
      } else {
        out.resize_width = out.resize_height = edge;
      }
    } else if (size->is_object() && size->size() == 1 && size->contains("shortest_edge")) {
      TERMINUS_ASSIGN_OR_RETURN(out.shortest_edge,
                                ReadSize((*size)["shortest_edge"], "size.shortest_edge"));
      if (!crop) {
        return Bad(
            "size.shortest_edge: expected do_center_crop with it, since models take one fixed "
            "size");
      }
    } else if (HasHeightAndWidth(*size)) {
      TERMINUS_ASSIGN_OR_RETURN(out.resize_height, ReadSize((*size)["height"], "size.height"));
      TERMINUS_ASSIGN_OR_RETURN(out.resize_width, ReadSize((*size)["width"], "size.width"));
    } else {
      return Bad("size: expected a number, {shortest_edge} or {height, width}, found ",
                 size->dump());
    }
    return absl::OkStatus();
  }

  absl::Status Crop(bool crop) const {
    if (!crop) {
      out.crop_width = out.resize_width;
      out.crop_height = out.resize_height;
      return absl::OkStatus();
    }
    const auto size = json.find("crop_size");
    if (size == json.end()) return Bad("crop_size: missing, though do_center_crop is true");
    if (size->is_number()) {
      TERMINUS_ASSIGN_OR_RETURN(out.crop_width, ReadSize(*size, "crop_size"));
      out.crop_height = out.crop_width;
    } else if (HasHeightAndWidth(*size)) {
      TERMINUS_ASSIGN_OR_RETURN(out.crop_height, ReadSize((*size)["height"], "crop_size.height"));
      TERMINUS_ASSIGN_OR_RETURN(out.crop_width, ReadSize((*size)["width"], "crop_size.width"));
    } else {
      return Bad("crop_size: expected a number or {height, width}, found ", size->dump());
    }
    const int width = out.shortest_edge > 0 ? out.shortest_edge : out.resize_width;
    const int height = out.shortest_edge > 0 ? out.shortest_edge : out.resize_height;
    if (out.crop_width > width || out.crop_height > height) {
      return Bad("crop_size: expected at most ", width, " x ", height,
                 ", what size leaves of every picture, found ", size->dump());
    }
    return absl::OkStatus();
  }

  absl::Status Normalization() const {
    TERMINUS_ASSIGN_OR_RETURN(const bool rescale, ReadBool(json, "do_rescale", true));
    const auto factor = json.find("rescale_factor");
    if (!rescale) {
      out.rescale_factor = 1.0f;
    } else if (factor != json.end()) {
      if (!factor->is_number()) return Bad("rescale_factor: expected a number");
      out.rescale_factor = factor->get<float>();
    }
    TERMINUS_ASSIGN_OR_RETURN(const bool normalize, ReadBool(json, "do_normalize", true));
    if (!normalize) return absl::OkStatus();
    TERMINUS_ASSIGN_OR_RETURN(out.mean, ReadChannels(json, "image_mean"));
    TERMINUS_ASSIGN_OR_RETURN(out.std, ReadChannels(json, "image_std"));
    for (const float value : out.std) {
      if (!(value > 0)) return Bad("image_std: expected three numbers above 0");
    }
    return absl::OkStatus();
  }
};

absl::StatusOr<ImagePreprocessor> ImagePreprocessor::FromJson(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Bad("expected a JSON object");
  Config config;
  const Reader reader{json, config};
  TERMINUS_ASSIGN_OR_RETURN(const bool crop, ReadBool(json, "do_center_crop", false));
  TERMINUS_RETURN_IF_ERROR(reader.Resize());
  TERMINUS_RETURN_IF_ERROR(reader.Size(crop));
  TERMINUS_RETURN_IF_ERROR(reader.Crop(crop));
  TERMINUS_RETURN_IF_ERROR(reader.Normalization());
  return ImagePreprocessor(config);
}

Image ImagePreprocessor::Run(const Image& image) const {
  int width = config_.resize_width;
  int height = config_.resize_height;
  if (config_.shortest_edge > 0) {
    // The long edge is cut, not rounded, as transformers and torchvision do.
    const auto longest = [&](int64_t longer, int shorter) {
      return static_cast<int>(static_cast<double>(config_.shortest_edge * longer) / shorter);
    };
    width = height = config_.shortest_edge;
    if (image.width > image.height) width = longest(image.width, image.height);
    if (image.height > image.width) height = longest(image.height, image.width);
  }
  return Resize(image, width, height, config_.filter,
                CenterWindow(width, height, config_.crop_width, config_.crop_height));
}

}  // namespace terminus::media
