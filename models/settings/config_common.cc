#include "models/settings/config_common.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;
using terminus::settings::Warned;

constexpr Key kKeys[] = {
    Used("model_type", "names the family"),
    NoEffect("architectures", "names the class that saved the weights"),
    NoEffect("_name_or_path", "names the place that the weights came from"),
    NoEffect("transformers_version", "names the version that wrote the file"),
    Warned("auto_map", "code of the folder is never run; the family's own is computed"),
    NoEffect("dtype",
             "Terminus chooses what it computes in; weights say themselves how they are "
             "stored"),
    NoEffect("torch_dtype", "the older name of dtype"),
    Fixed("quantization_config", "[]", "the weights would have to be dequantized"),
};

}  // namespace

constexpr terminus::settings::Table kCommonConfig = {
    .file = "config.json", .kind = "every family", .keys = kKeys};

}  // namespace terminus::models::settings
