#include "common/media/preprocessor_size.h"

#include "absl/strings/str_cat.h"

namespace terminus::media {

using nlohmann::json;

int ReadPixels(settings::JsonFile& file, const json& value, const std::string& name) {
  if (value.is_number_integer() && value >= 1 && value <= kMaxPreparedSide) {
    return value.get<int>();
  }
  file.Fault(name,
             absl::StrCat("expected 1 to ", kMaxPreparedSide, " pixels, found ", value.dump()));
  return 1;
}

absl::optional<PictureSize> ReadHeightAndWidth(settings::JsonFile& file, const json& value,
                                               const std::string& name) {
  const json* height = nullptr;
  const json* width = nullptr;
  if (value.is_array() && value.size() == 2) {
    height = &value[0];
    width = &value[1];
  } else if (value.is_object() && value.size() == 2 && value.contains("height") &&
             value.contains("width")) {
    height = &value["height"];
    width = &value["width"];
  } else {
    return absl::nullopt;
  }
  PictureSize size;
  size.height = ReadPixels(file, *height, name + ".height");
  size.width = ReadPixels(file, *width, name + ".width");
  return size;
}

PictureSize ReadPictureSize(settings::JsonFile& file, const json& value, const std::string& name) {
  if (value.is_number()) {
    const int side = ReadPixels(file, value, name);
    return {side, side};
  }
  const auto size = ReadHeightAndWidth(file, value, name);
  if (!size) {
    file.Fault(name, absl::StrCat("expected a number or {height, width}, found ", value.dump()));
  }
  return size.value_or(PictureSize{1, 1});
}

}  // namespace terminus::media
