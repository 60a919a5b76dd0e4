#include "models/settings/contrastive_config.h"

#include "models/settings/text_config.h"
#include "models/settings/vision_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;
using terminus::settings::UsedObject;

constexpr absl::string_view kInitial =
    "sets weights before training; the file's weights replace them";
constexpr const Table* kCommon[] = {&kCommonConfig};

constexpr Key kClipKeys[] = {
    Used("projection_dim", "elements of a vector"),
    UsedObject("text_config", &kClipTextConfig, "the text tower"),
    UsedObject("vision_config", &kClipVisionConfig, "the image tower"),
    UsedObject("text_config_dict", &kClipTextConfig,
               "an older form of text_config; where it is, it replaces text_config"),
    UsedObject("vision_config_dict", &kClipVisionConfig,
               "an older form of vision_config; where it is, it replaces vision_config"),
    NoEffect("logit_scale_init_value", kInitial),
};

constexpr Key kSiglipKeys[] = {
    UsedObject("text_config", &kSiglipTextConfig, "the text tower"),
    UsedObject("vision_config", &kSiglipVisionConfig, "the image tower"),
};

}  // namespace

constexpr Table kClipConfig = {
    .file = "config.json", .kind = "clip", .keys = kClipKeys, .bases = kCommon};
constexpr Table kSiglipConfig = {
    .file = "config.json", .kind = "siglip", .keys = kSiglipKeys, .bases = kCommon};

}  // namespace terminus::models::settings
