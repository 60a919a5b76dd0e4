#pragma once

#include "common/settings/json_file.h"
#include "models/vision/vit.h"

namespace terminus::models::vision {

// Reads what the config.json of all of them has in common into `config`, whose values are the
// defaults: ReadTransformerConfig's keys, image_size and patch_size. With `pairs` the two may also
// be [side, side].
void ReadVitConfig(settings::JsonFile& file, bool pairs, VitConfig* config);

// A plan that builds a Vit.
VisionPlan PlanOf(const VitConfig& config);

}  // namespace terminus::models::vision
