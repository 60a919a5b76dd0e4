#pragma once

#include <string>

#include "absl/types/optional.h"
#include "common/settings/json_file.h"

// Sizes in preprocessor_config.json. Faults are noted in the file.
namespace terminus::media {

// The longest side that pictures are resized or cropped to.
inline constexpr int kMaxPreparedSide = 4096;

struct PictureSize {
  int width = 0;
  int height = 0;
};

// A number of pixels from 1 to kMaxPreparedSide; 1 after a fault. `name` stands in the message.
int ReadPixels(settings::JsonFile& file, const nlohmann::json& value, const std::string& name);

// [h, w] or {"height": h, "width": w}; nothing for another form.
absl::optional<PictureSize> ReadHeightAndWidth(settings::JsonFile& file,
                                               const nlohmann::json& value,
                                               const std::string& name);

// The same, or a number, which is a square.
PictureSize ReadPictureSize(settings::JsonFile& file, const nlohmann::json& value,
                            const std::string& name);

}  // namespace terminus::media
