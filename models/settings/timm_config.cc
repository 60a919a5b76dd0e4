#include "models/settings/timm_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;
using terminus::settings::UsedObject;

constexpr absl::string_view kTraining = "only training looks at it";
constexpr absl::string_view kPlace = "weights are those of the folder";
constexpr absl::string_view kText = "text for people";
constexpr absl::string_view kTestSize = "only timm's option use_test_size looks at it";
constexpr absl::string_view kAdapting =
    "only weights of another number of channels or classes need it";

constexpr Key kPretrainedKeys[] = {
    Used("input_size", "channels, height and width of a prepared picture; channels must be 3"),
    Used("interpolation", "filter of the resizing"),
    Used("crop_pct", "side of the crop over the side that pictures are resized to"),
    Used("crop_mode", "\"center\" or \"squash\""),
    Used("mean", "subtracted from each channel"),
    Used("std", "divides each channel"),
    Used("num_classes", "classes of the classifier"),
    Fixed("fixed_input_size", "[false]", "EfficientNet-Lite takes pictures of any size"),
    Fixed("label_offset", "[0]", "the classifier's first rows would be cut"),
    NoEffect("test_input_size", kTestSize),
    NoEffect("test_crop_pct", kTestSize),
    NoEffect("test_pool_size", kTestSize),
    NoEffect("min_input_size", "a hint for training"),
    NoEffect("pool_size", "the features are averaged whatever their size"),
    NoEffect("first_conv", kAdapting),
    NoEffect("classifier", kAdapting),
    NoEffect("label_names", "names of classes, which are not served"),
    NoEffect("label_descriptions", "names of classes, which are not served"),
    NoEffect("architecture", "the file's own architecture counts"),
    NoEffect("tag", "names the weights"),
    NoEffect("url", kPlace),
    NoEffect("file", kPlace),
    NoEffect("state_dict", kPlace),
    NoEffect("hf_hub_id", kPlace),
    NoEffect("hf_hub_filename", kPlace),
    NoEffect("source", kPlace),
    NoEffect("custom_load", kPlace),
    NoEffect("license", kText),
    NoEffect("description", kText),
    NoEffect("origin_url", kText),
    NoEffect("paper_name", kText),
    NoEffect("paper_ids", kText),
    NoEffect("notes", kText),
};

constexpr Key kModelArgKeys[] = {
    Fixed("in_chans", "[3]", "pictures are RGB"),
    Fixed("global_pool", "[\"avg\"]", "features are averaged over the picture"),
    Fixed("act_layer", "[\"relu6\"]", "activation behind each convolution"),
    Fixed("norm_layer", "[]", "each convolution is followed by batch normalisation"),
    Fixed("aa_layer", "[]", "no convolution is followed by a blur"),
    Fixed("output_stride", "[32]", "other strides dilate convolutions"),
    Fixed("stem_kernel_size", "[3]", "side of the first convolution"),
    Fixed("features_only", "[false]", "the features of the last stage are served"),
    Fixed("pruned", "[false]", "layers would have other sizes"),
    Used("num_classes", "classes of the classifier, as many as the weights have"),
    Used("pad_type", "\"\" or \"same\": on which side convolutions pad"),
    Used("bn_eps", "added to variances of batch normalisations"),
    Fixed("out_indices", "[]", "the features of the last stage are served"),
    Fixed("feature_cls", "[]", "the features of the last stage are served"),
    Fixed("feature_cfg", "[]", "the features of the last stage are served"),
    NoEffect("device", "Terminus chooses where it computes"),
    NoEffect("dtype", "Terminus chooses what it computes in"),
    NoEffect("bn_momentum", kTraining),
    NoEffect("drop_rate", kTraining),
    NoEffect("drop_path_rate", kTraining),
    NoEffect("se_layer", "EfficientNet-Lite has no squeeze-and-excitation"),
    NoEffect("pretrained_strict", "tensors that are missing are refused"),
};

constexpr Key kTimmKeys[] = {
    Used("architecture", "names the model"),
    Used("num_classes", "classes of the classifier"),
    UsedObject("pretrained_cfg", &kTimmPretrainedConfig,
               "how pictures are prepared, and what the weights are"),
    UsedObject("model_args", &kTimmModelArgs, "arguments that the model was made with"),
    NoEffect("num_features", "for people; the architecture sets it"),
    NoEffect("global_pool", "for people; the one in model_args counts"),
    NoEffect("labels", "names of classes, which are not served"),
};
constexpr const Table* kTimmBases[] = {&kTimmPretrainedConfig};

}  // namespace

constexpr Table kTimmConfig = {
    .file = "config.json", .kind = "timm", .keys = kTimmKeys, .bases = kTimmBases};
constexpr Table kTimmPretrainedConfig = {
    .file = "config.json", .kind = "timm.pretrained_cfg", .keys = kPretrainedKeys};
constexpr Table kTimmModelArgs = {
    .file = "config.json", .kind = "timm.model_args", .keys = kModelArgKeys};

}  // namespace terminus::models::settings
