#include "models/settings/config_other.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;

constexpr char kComposite[] = "a model inside of the model would be read in its place";
constexpr char kNoLayer[] = "no layer of the family looks at it";
constexpr char kNoAngles[] = "the family's positions are not angles";
constexpr char kPictures[] = "of models that continue texts about pictures";
constexpr char kProcessor[] = "tokenizer and image processor are read from their own files";

constexpr Key kKeys[] = {
    Fixed("attribute_map", "[{}]", "keys would stand for others"),
    Fixed("decoder", "[]", kComposite),
    Fixed("generator", "[]", kComposite),
    Fixed("text_encoder", "[]", kComposite),
    Fixed("text_config", "[]", kComposite),
    NoEffect("gguf_file", "an argument that a file cannot give"),
    NoEffect("processor_class", kProcessor),
    NoEffect("model_max_length", kProcessor),
    NoEffect("pretrained_cfg", "of timm's files, which have no model_type"),
    NoEffect("vocab_size", "of models that read texts"),
    NoEffect("model_name", "names a model for warnings"),
    NoEffect("vision_feature_layer", kPictures),
    NoEffect("vision_feature_select_strategy", kPictures),
    NoEffect("vision_aspect_ratio", kPictures),
    NoEffect("output_cross_attentions", "chooses what a Python call returns, not its values"),
    NoEffect("projection_dim", "read only to guess how long vectors are"),
    NoEffect("init_std", "of training only"),
    NoEffect("position_embedding_type", kNoLayer),
    NoEffect("num_heads", kNoLayer),
    NoEffect("head_dim", kNoLayer),
    NoEffect("layer_types", kNoLayer),
    NoEffect("mlp_layer_types", kNoLayer),
    NoEffect("mtp_layer_types", kNoLayer),
    NoEffect("rope_parameters", kNoAngles),
    NoEffect("rope_scaling", kNoAngles),
    NoEffect("rope_theta", kNoAngles),
    NoEffect("partial_rotary_factor", kNoAngles),
    NoEffect("default_theta", kNoAngles),
    NoEffect("default_rope_type", kNoAngles),
    NoEffect("_rope_type_labels", kNoAngles),
    NoEffect("ignore_keys_at_rope_validation", "silences a warning"),
};

}  // namespace

constexpr terminus::settings::Table kOtherConfig = {
    .file = "config.json", .kind = "other models", .keys = kKeys};

}  // namespace terminus::models::settings
