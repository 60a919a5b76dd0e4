#include "models/vision/families.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"
#include "models/vision/clip_vision.h"
#include "models/vision/efficientnet_lite.h"
#include "models/vision/plain_vit.h"
#include "models/vision/resnet.h"
#include "models/vision/siglip_vision.h"

namespace terminus::models::vision {

const std::vector<VisionFamily>& VisionFamilies() {
  static const auto* families = new std::vector<VisionFamily>{
      {"clip", ReadClipVisionPlan},
      {"clip_vision_model", ReadClipVisionPlan},
      {"dinov2", ReadDinov2Plan},
      {"efficientnet_lite", ReadEfficientNetLitePlan, /*timm=*/true},
      {"resnet", ReadResNetPlan},
      {"siglip", ReadSiglipVisionPlan},
      {"siglip_vision_model", ReadSiglipVisionPlan},
      {"vit", ReadPlainVitPlan},
  };
  return *families;
}

absl::StatusOr<VisionPlan> ReadVisionPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(auto file, settings::JsonFile::Read(folder + "/config.json"));
  const bool timm = file.json().contains("architecture");
  const std::string key = timm ? "architecture" : "model_type";
  const std::string type = file.StringOr(key, "");
  const absl::string_view name = timm ? absl::StripPrefix(type, "tf_") : absl::string_view(type);
  for (const VisionFamily& family : VisionFamilies()) {
    if (timm == family.timm && (timm ? absl::StartsWith(name, family.type) : name == family.type)) {
      return family.read(folder);
    }
  }
  const std::string names =
      absl::StrJoin(VisionFamilies(), ", ", [](std::string* out, const VisionFamily& family) {
        absl::StrAppend(out, "\"", family.type, "\"");
      });
  file.Fault(key, absl::StrCat("\"", type, "\", supported for images are ", names));
  return file.status();
}

}  // namespace terminus::models::vision
