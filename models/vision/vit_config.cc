#include "models/vision/vit_config.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::vision {

void ReadVitConfig(settings::JsonFile& file, VitConfig* config) {
  config->transformer = nn::ReadTransformerConfig(file, config->transformer);
  config->image_size = static_cast<int>(file.IntOr("image_size", 1, 4096, config->image_size));
  config->patch_size = static_cast<int>(file.IntOr("patch_size", 1, 4096, config->patch_size));
  if (config->patch_size > config->image_size) {
    file.Fault("patch_size", absl::StrCat(config->patch_size, ", more than the image_size of ",
                                          config->image_size));
  }
  file.IntOr("num_channels", 3, 3, 3);
}

VisionPlan PlanOf(const VitConfig& config) {
  return {
      .dimension = config.dimension(),
      .build = [config](const ImageInput& input,
                        const nn::Loader& loader) -> absl::StatusOr<std::unique_ptr<VisionTower>> {
        return Vit::Create(config, input, loader);
      }};
}

}  // namespace terminus::models::vision
