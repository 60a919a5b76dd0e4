#include "models/vision/vit_config.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::vision {
namespace {

constexpr int kMaxSide = 4096;

int ReadSide(settings::JsonFile& file, const std::string& key, bool pairs, int otherwise) {
  const nlohmann::json* value = file.Find(key);
  if (!pairs || value == nullptr || !value->is_array()) {
    return static_cast<int>(file.IntOr(key, 1, kMaxSide, otherwise));
  }
  const bool square = value->size() == 2 && (*value)[0] == (*value)[1];
  if (!square || !(*value)[0].is_number_integer() || (*value)[0] < 1 || (*value)[0] > kMaxSide) {
    file.Fault(key,
               absl::StrCat(value->dump(),
                            ", expected one integer, or two that are equal, from 1 to ", kMaxSide));
    return otherwise;
  }
  return (*value)[0].get<int>();
}

}  // namespace

void ReadVitConfig(settings::JsonFile& file, bool pairs, VitConfig* config) {
  config->transformer = nn::ReadTransformerConfig(file, config->transformer);
  config->image_size = ReadSide(file, "image_size", pairs, config->image_size);
  config->patch_size = ReadSide(file, "patch_size", pairs, config->patch_size);
  if (config->patch_size > config->image_size) {
    file.Fault("patch_size", absl::StrCat(config->patch_size, ", more than the image_size of ",
                                          config->image_size));
  }
}

VisionPlan PlanOf(const VitConfig& config) {
  return {
      .dimension = config.dimension(),
      .names = config.tensor_names,
      .build = [config](const ImageInput& input,
                        const nn::Loader& loader) -> absl::StatusOr<std::unique_ptr<VisionTower>> {
        return Vit::Create(config, input, loader);
      }};
}

}  // namespace terminus::models::vision
